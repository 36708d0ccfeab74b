// The dialog with an invite code: when it stands in front, and when it may not.
import { beforeEach, expect, test, vi } from "vitest";
import { ParticipantKind, Reason } from "../src/gen/signaling_pb";
import type { Invite } from "../src/participants";
import { firstView } from "../src/state";
import { InviteDialog } from "../src/view/invite";
import { textsFor } from "../src/view/texts";

/** As much of an element as the dialog touches. */
class FakeElement {
  hidden = false;
  open = false;
  isConnected = true;
  textContent = "";
  dataset: Record<string, string> = {};
  children: FakeElement[] = [];
  attributes: Record<string, string> = {};
  #listeners = new Map<string, (event: Pick<Event, "preventDefault">) => void>();
  constructor(readonly tag: string) {}
  setAttribute(name: string, value: string) {
    this.attributes[name] = value;
  }
  append(...children: FakeElement[]) {
    this.children.push(...children);
  }
  prepend() {}
  replaceChildren(...children: FakeElement[]) {
    this.children = children;
  }
  querySelector() {
    return this.children[0] ?? null;
  }
  addEventListener(name: string, listener: (event: Pick<Event, "preventDefault">) => void) {
    this.#listeners.set(name, listener);
  }
  fire(name: string) {
    this.#listeners.get(name)?.({ preventDefault: () => undefined });
  }
  focus() {}
  showModal() {
    if (this.open) throw new Error("open already");
    this.open = true;
  }
  close() {
    this.open = false;
  }
}

beforeEach(() => vi.stubGlobal("document", { createElement: (tag: string) => new FakeElement(tag) }));

const t = textsFor("en");
const invite = (state: Invite["state"]): Invite => ({
  kind: ParticipantKind.EXPERT,
  state,
  code: state === "open" ? "482 913 706" : "",
  until: 0,
  reason: state === "ended" ? Reason.CODE_EXPIRED : Reason.UNSPECIFIED,
});

function setup() {
  const close = vi.fn();
  const dialog = new InviteDialog({ close });
  const element = dialog.element as unknown as FakeElement;
  const show = (state: Invite["state"] | null) =>
    dialog.update({ ...firstView, state: "live", invite: state === null ? null : invite(state) }, t);
  return { dialog, element, show, close };
}

test("opens with the wish, and closes when it is put away", () => {
  const { element, show } = setup();
  show(null);
  expect(element.open).toBe(false);
  show("asked");
  show("open");
  expect(element.open).toBe(true);
  show(null);
  expect(element.open).toBe(false);
});

test("a code that is hidden stays so; Escape hides it and does not make it worthless", () => {
  const { dialog, element, show, close } = setup();
  show("open");
  element.fire("cancel");
  show("open");
  expect(element.open).toBe(false);
  expect(close).not.toHaveBeenCalled();
  dialog.show();
  expect(element.open).toBe(true);
});

test("the end of a hidden code is told; its use is not, the list says who came", async () => {
  const { element, show, close } = setup();
  show("open");
  element.fire("cancel");
  show("used");
  await Promise.resolve();
  expect(close).toHaveBeenCalledOnce();
  expect(element.open).toBe(false);
  show(null);
  show("open");
  element.fire("cancel");
  show("ended");
  expect(element.open).toBe(true);
});

test("of a session that nobody looks at blocks no page, and waits", () => {
  const { dialog, element, show } = setup();
  show("open");
  dialog.background = true;
  show("open");
  expect(element.open).toBe(false);
  show("ended");
  expect(element.open).toBe(false);
  dialog.background = false;
  show("ended");
  expect(element.open).toBe(true);
});
