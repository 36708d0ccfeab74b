import { api } from "./api";

/** Signs out and leaves for the sign-in page. A server that does not answer keeps nobody here. */
export async function signOut(): Promise<void> {
  await api.signOut().catch(() => undefined);
  location.assign("/signin");
}
