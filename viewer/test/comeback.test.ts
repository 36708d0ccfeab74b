// A host that was restarted: the session waits for it, and goes on with no new code.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GrantState } from "../src/gen/session_pb";
import { Reason } from "../src/gen/signaling_pb";
import type { Tool } from "../src/tool";
import { noticesOf } from "../src/view/banner";
import { textsFor } from "../src/view/texts";
import { settle } from "./fakes";
import { ended, grants, live, say, type Setup } from "./rig";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

const granted = (reconnect: GrantState) => {
  const all = grants(GrantState.ALLOWED);
  all.value.grants.push({ $typeName: "mf.v1.Grant", name: "reconnect", state: reconnect, since: 0n });
  return all;
};

/** The host's line goes, and another one's comes. */
async function restarts(s: Setup): Promise<void> {
  s.socket().push({ case: "host", value: { connected: false } });
  vi.advanceTimersByTime(20_000);
  s.socket().push({ case: "host", value: { connected: true } });
  await settle();
}

describe("a host that comes back after a restart", () => {
  test("is waited for until then, and found again with no new code", async () => {
    const s = await live();
    const heard: string[] = [];
    s.tools.push({
      channel: "talk",
      heard: () => {},
      connected: () => {},
      disconnected: () => heard.push("disconnected"),
      anew: () => heard.push("anew"),
      granted: () => {},
      over: () => {},
    } satisfies Tool);
    expect(s.session.view.returnUntil).toBeNull();
    say(s, granted(GrantState.ALLOWED));
    const until = s.session.view.returnUntil ?? 0;
    expect(until).toBe(Date.now() + 15 * 60_000);
    vi.advanceTimersByTime(1000);
    say(s, granted(GrantState.ALLOWED)); // of another change: no new time
    expect(s.session.view.returnUntil).toBe(until);

    s.socket().push({ case: "host", value: { connected: false } });
    const { restartUntil } = s.session.view;
    expect(restartUntil).toBe(Date.now() + 60_000); // the server waits no longer
    const texts = noticesOf(s.session.view, textsFor("en")).map(({ text }) => text);
    expect(texts[0]).toContain("is restarting");
    s.connection().events.lost(false);
    s.socket().push({ case: "host", value: { connected: true } });
    await settle();
    expect(s.socket().last("attach")).toMatchObject({ epoch: 2 });
    await s.host.comeBack(s.socket());
    await settle();
    expect(s.connections).toHaveLength(2);
    expect(s.session.view).toMatchObject({ returnUntil: null, restartUntil: null, hostAway: null });
    expect(heard).toEqual(["disconnected", "anew"]);
    s.connection().events.proven();
    say(s, grants(GrantState.ASKED));
    expect(s.session.view.state).toBe("asking"); // nothing is seen before the person says yes
    say(s, grants(GrantState.ALLOWED));
    s.session.painted({ kind: "painted" });
    expect(s.session.view.state).toBe("live");
  });

  test("C86: is refused without the person's grant", async () => {
    for (const state of [GrantState.UNSPECIFIED, GrantState.ASKED, GrantState.REVOKED]) {
      const s = await live();
      say(s, granted(GrantState.ALLOWED));
      say(s, granted(state));
      await restarts(s);
      await s.host.comeBack(s.socket());
      await settle();
      expect(ended(s)).toEqual({ state: "ended", reason: Reason[Reason.PROTOCOL] });
    }
  });

  test("C86: is refused a second time", async () => {
    const s = await live();
    say(s, granted(GrantState.ALLOWED));
    await restarts(s);
    await s.host.comeBack(s.socket());
    await settle();
    expect(s.session.view.state).toBe("live");
    await restarts(s);
    await s.host.comeBack(s.socket());
    await settle();
    expect(ended(s)).toEqual({ state: "ended", reason: Reason[Reason.PROTOCOL] });
  });
});
