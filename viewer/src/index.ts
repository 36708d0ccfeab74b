// Entry of viewer.js: defines <remote-session>.

import { RemoteSession } from "./element";

if (customElements.get("remote-session") === undefined)
  customElements.define("remote-session", RemoteSession);

export { RemoteSession };
