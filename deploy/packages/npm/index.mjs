import sealgate from "./index.cjs";

export const { Rule, Sealgate, SealgateError, attachSealgate, findBinary, startSealgate } = sealgate;
