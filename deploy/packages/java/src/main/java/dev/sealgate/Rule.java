package dev.sealgate;

import com.google.gson.JsonObject;

/** A failure or latency in force. */
public final class Rule {
    private final Admin kms;
    private final long id;

    Rule(Admin kms, long id) {
        this.kms = kms;
        this.id = id;
    }

    /** Ends it. Returns how many calls it was applied to. */
    public long remove() {
        var body = new JsonObject();
        body.addProperty("id", id);
        return kms.request("POST", "/admin/faults/remove", body).get("struck").getAsLong();
    }
}
