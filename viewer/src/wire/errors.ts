import { Reason } from "../gen/signaling_pb";

/** An error with the reason that the other side is told and the technician reads. */
export class WireError extends Error {
  override readonly name = "WireError";

  constructor(
    readonly reason: Reason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const tooLarge = (): WireError => new WireError(Reason.TOO_LARGE, "message too large");
export const malformed = (cause?: unknown): WireError =>
  new WireError(Reason.PROTOCOL, "malformed message", { cause });
export const unknownMessage = (): WireError => new WireError(Reason.UNKNOWN_MESSAGE, "unknown message");

/** What the other side is told about an error: INTERNAL unless it says more. */
export function reasonOf(error: unknown): Reason {
  return error instanceof WireError ? error.reason : Reason.INTERNAL;
}
