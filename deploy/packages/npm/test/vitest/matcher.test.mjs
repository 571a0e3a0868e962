// The global setup and the matcher, as a user has them.
import { GenerateRandomCommand, KMSClient } from "@aws-sdk/client-kms";
import { expect, test } from "vitest";
import { useSealgate } from "sealgate/vitest";

test("the matcher counts calls, and says how many there were", async () => {
  const sealgate = await useSealgate();
  const kms = new KMSClient(sealgate.kmsConfig());
  await expect(sealgate).not.toHaveCalledKms("GenerateRandom");
  for (let call = 0; call < 2; call += 1) await kms.send(new GenerateRandomCommand({ NumberOfBytes: 1 }));
  await expect(sealgate).toHaveCalledKms("GenerateRandom");
  await expect(sealgate).toHaveCalledKms("GenerateRandom", 2);
  await expect(sealgate).toHaveCalledKms("GenerateRandom", 2, { outcome: "OK" });
  const wrong = expect(sealgate).toHaveCalledKms("GenerateRandom", 3);
  await expect(wrong).rejects.toThrow("2 calls of GenerateRandom, not 3");
  const misspelt = expect(sealgate).toHaveCalledKms("GenerateRandm", 0);
  await expect(misspelt).rejects.toThrow("GenerateRandm");
  kms.destroy();
});
