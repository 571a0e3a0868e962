// Refused PUTs by Node's http, and a GET after each. Arguments: the PUT's address, the GET's, how many, by how many
// workers, and the sizes of the bodies.
import http from "node:http";
import https from "node:https";

const [put, get, count, workers, ...sizes] = process.argv.slice(2);
const library = put.startsWith("https:") ? https : http;
const agent = new library.Agent({ keepAlive: true, maxSockets: Number(workers) });

const send = (url, method, body) => new Promise((resolve, reject) => {
  const headers = body ? { "content-length": body.length } : {};
  const request = library.request(url, { method, headers, agent }, (answer) => {
    let text = "";
    answer.on("data", (piece) => { text += piece; });
    answer.on("end", () => resolve([answer.statusCode, text]));
    answer.on("error", reject);
  });
  request.on("error", reject);
  // In pieces, so that the answer may come between them.
  for (let at = 0; body && at < body.length; at += 65_536) request.write(body.subarray(at, at + 65_536));
  request.end();
});

await Promise.all(Array.from({ length: Number(workers) }, async (_, worker) => {
  for (let n = 0; n < count / workers; n++) {
    const [status] = await send(put, "PUT", Buffer.alloc(Number(sizes[(worker + n) % sizes.length]), "x"));
    if (status !== 403) throw new Error(`PUT: ${status}`);
    const [got, text] = await send(get, "GET");
    if (text !== "precious") throw new Error(`GET: ${got} ${text}`);
  }
}));
agent.destroy();
