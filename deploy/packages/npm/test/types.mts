// Compiled, not run: the types fit how the package is used.
import { KMSClient } from "@aws-sdk/client-kms";
import { S3Client } from "@aws-sdk/client-s3";
import { type Encryption, startSealgate } from "sealgate";

const sealgate = await startSealgate({ quotaScale: 0.001, args: ["--region", "eu-central-1"] });
new S3Client(sealgate.s3Config());
new KMSClient(sealgate.kmsConfig({ alt: true }));
const count: number = await sealgate.calls({ operation: "Decrypt", key: "alias/demo" });
const encryption: Encryption = await sealgate.encryptionOf("demo", "k");
const struck: number = await (await sealgate.throttleNext(count, { operation: "Decrypt" })).remove();
console.log(encryption.algorithm, struck);
