import { api } from "./api";
import { forgetAll } from "./drafts";

/** Signs out and leaves for the sign-in page. A server that does not answer keeps nobody here. */
export async function signOut(): Promise<void> {
  forgetAll();
  await api.signOut().catch(() => undefined);
  location.assign("/signin");
}
