import { expect, test, vi } from "vitest";
import { Deed } from "../src/account/deed.svelte";
import { CalledOff } from "../src/lib/passkey";
import { t } from "../src/lib/i18n.svelte";
import { Problem } from "../src/lib/api";

const question = (act: () => Promise<void>): Parameters<Deed["ask"]>[0] => ({
  title: "Remove it?",
  text: "It is gone then.",
  yes: "Remove",
  act,
});

test("nothing is done before a yes, nor after a no", async () => {
  const act = vi.fn(() => Promise.resolve());
  const deed = new Deed();
  deed.ask(question(act));
  expect(deed.asking?.title).toBe("Remove it?");
  expect(act).not.toHaveBeenCalled();
  deed.leave();
  await deed.confirm(); // a click that comes late
  expect(act).not.toHaveBeenCalled();
  deed.ask(question(act));
  await Promise.all([deed.confirm(), deed.confirm()]);
  expect(act).toHaveBeenCalledOnce();
  expect(deed.asking).toBeNull();
});

test("one thing is done at a time, and what went wrong is said", async () => {
  const deed = new Deed();
  let done = (): void => undefined;
  const first = deed.run(() => new Promise((resolve) => (done = resolve)));
  const act = vi.fn(() => Promise.resolve());
  await deed.run(act);
  deed.ask(question(act));
  expect([deed.busy, deed.asking, act.mock.calls.length]).toEqual([true, null, 0]);
  done();
  await first;
  await deed.run(() => Promise.reject(new Problem(409, "GONE", "It was gone before.")));
  expect([deed.busy, deed.trouble]).toEqual([false, "It was gone before."]);
  await deed.run(() => Promise.reject(new CalledOff()));
  expect(deed.trouble).toBe(t("account.key.called_off"));
  await deed.run(act);
  expect([deed.trouble, act.mock.calls.length]).toEqual(["", 1]);
});
