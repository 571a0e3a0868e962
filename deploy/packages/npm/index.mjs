import sealgate from "./index.cjs";

export const { Rule, Sealgate, SealgateError, findBinary, startSealgate } = sealgate;
