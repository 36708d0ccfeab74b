// Every end has its reason, and nobody gives one in another's name.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { weigh } from "../src/ending";
import { GrantState } from "../src/gen/session_pb";
import { Reason } from "../src/gen/signaling_pb";
import { reasonWait } from "../src/route";
import { settle } from "./fakes";
import { endTexts, textsFor } from "../src/view/texts";
import { attached, ended, grants, live, paired, say } from "./rig";

describe("the end", () => {
  test("by the technician reaches host and server", async () => {
    const s = await live();
    s.session.end();
    expect(s.connection().log.at(-1)).toBe("close TECHNICIAN_ENDED");
    expect(s.socket().cases().at(-1)).toBe("end");
    expect(s.picture.log).toContain("close");
    expect(ended(s)).toEqual({ state: "ended", reason: "TECHNICIAN_ENDED" });
  });

  test("by the person comes over the connection", async () => {
    const s = await live();
    s.connection().events.control({
      case: "bye",
      value: { $typeName: "mf.v1.Bye", reason: Reason.PERSON_STOPPED },
    });
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
  });

  test("by the server is an end too", async () => {
    const s = await live();
    s.socket().push({ case: "end", value: { reason: Reason.SUPERVISOR_ENDED } });
    expect(ended(s)).toEqual({ state: "ended", reason: "SUPERVISOR_ENDED" });
  });

  test("nothing changes after it", async () => {
    const s = await live();
    s.session.end();
    const view = s.session.view;
    s.socket().push({ case: "end", value: { reason: Reason.INTERNAL } });
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    s.connection().events.failed(Reason.PROTOCOL);
    s.session.painted({ kind: "painted" });
    await settle();
    expect(s.session.view).toEqual(view);
    expect(s.connection().sender.open).toBe(false);
  });
});

describe("the server's End", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));

  test("is waited for when the first connection is lost", async () => {
    const s = await attached();
    s.connection().events.lost(false);
    vi.advanceTimersByTime(reasonWait - 1);
    s.socket().push({ case: "end", value: { reason: Reason.TAMPERED } });
    expect(ended(s)).toEqual({ state: "ended", reason: "TAMPERED" });
  });

  test("that does not come means no way to the host", async () => {
    const s = await attached();
    s.connection().events.lost(false);
    vi.advanceTimersByTime(reasonWait);
    expect(ended(s)).toEqual({ state: "ended", reason: "NO_ROUTE" });
  });
  afterEach(() => void vi.useRealTimers());

  const hostsOwn = ["PERSON_STOPPED", "PERSON_DENIED", "NO_ANSWER", "HOST_QUIT", "CAPTURE_LOST"] as const;
  const says = (reason: Reason) => ({ case: "end" as const, value: { reason } });

  test.each(hostsOwn)(
    "in the host's name is nothing while the host is heard and silent: %s",
    async (name) => {
      const s = await live();
      s.socket().push(says(Reason[name]));
      vi.advanceTimersByTime(999);
      expect(s.session.view.state).toBe("live");
      vi.advanceTimersByTime(1);
      expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
      expect(s.session.view.says).toBe(Reason[name]);
    },
  );

  test("may come before the host's own word, by either way", async () => {
    const onCtl = await live();
    onCtl.socket().push(says(Reason.PERSON_STOPPED));
    say(onCtl, { case: "bye", value: { reason: Reason.PERSON_STOPPED } });
    expect(ended(onCtl)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
    expect(onCtl.session.view.says).toBe(null);

    const sealed = await attached();
    const bye = await sealed.host.seal({ case: "bye", value: { reason: Reason.PERSON_DENIED } });
    sealed.socket().push({ case: "sealed", value: bye });
    sealed.socket().push(says(Reason.PERSON_DENIED)); // taken before the sealed word is opened
    await settle();
    expect(ended(sealed)).toEqual({ state: "ended", reason: "PERSON_DENIED" });
    expect(sealed.session.view.says).toBe(null);
  });

  test("after the host's word changes nothing", async () => {
    const s = await live();
    say(s, { case: "bye", value: { reason: Reason.PERSON_STOPPED } });
    s.socket().push(says(Reason.HOST_QUIT));
    vi.advanceTimersByTime(5000);
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
  });

  test("of a host that nobody hears is shown as what the server says", async () => {
    const s = await live();
    s.connection().events.path("interrupted");
    s.socket().push({ case: "host", value: { connected: false } });
    s.socket().push(says(Reason.PERSON_STOPPED));
    vi.advanceTimersByTime(1000);
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
    expect(s.session.view.says).toBe(Reason.PERSON_STOPPED);
  });

  test("that answers a resume is shown as what the server says", async () => {
    const s = await live();
    s.socket().break();
    vi.advanceTimersByTime(500);
    s.socket().open();
    s.socket().push(says(Reason.PERSON_STOPPED));
    expect(ended(s)).toEqual({ state: "ended", reason: "PERSON_STOPPED" });
    expect(s.session.view.says).toBe(Reason.PERSON_STOPPED);
  });

  test.each([
    ["without a reason", Reason.UNSPECIFIED],
    ["for a reason that nobody knows", 999 as Reason],
  ])("%s is against the rules at once", async (_, reason) => {
    const s = await live();
    s.socket().push(says(reason));
    expect(ended(s)).toEqual({ state: "ended", reason: "PROTOCOL" });
  });

  test("in the host's name before there is a session is against the rules", () => {
    const s = paired();
    s.socket().push(says(Reason.PERSON_DENIED));
    expect(ended(s)).toEqual({ state: "code", reason: "PROTOCOL" });
  });

  test.each(Object.values(Reason).filter((r): r is Reason => typeof r === "number" && r !== 0))(
    "%d is weighed",
    (reason) => {
      expect(weigh(reason)).toBe((hostsOwn as readonly string[]).includes(Reason[reason]) ? "host's" : "own");
    },
  );
});

describe("what is read about an end", () => {
  const t = textsFor("en");
  test("of another technician is not told as ours", () => {
    const end = { reason: Reason.TECHNICIAN_ENDED, says: null };
    expect(endTexts({ ...end, ours: true }, t).what).toBe("You ended the session.");
    expect(endTexts({ ...end, ours: false }, t).what).toBe("Another technician ended the session.");
  });

  test("that only the server speaks of says so", () => {
    const what = "The server says: “The person ended the session.” The person’s computer did not confirm it.";
    const says = Reason.PERSON_STOPPED;
    expect(endTexts({ reason: says, says, ours: false }, t).what).toBe(what);
    expect(endTexts({ reason: Reason.PROTOCOL, says, ours: false }, t).what).toBe(
      `The other side sent something that it may not send. ${what}`,
    );
  });
});

describe("leaving", () => {
  test("takes only us out", async () => {
    const s = await live();
    s.session.leave();
    expect(s.connection().log.at(-1)).toBe("close LEFT");
    expect(s.socket().last("end").reason).toBe(Reason.LEFT);
    expect(s.session.view).toMatchObject({ state: "ended", reason: Reason.LEFT, ours: true });
  });

  test("a claim that did not pair gives it up", () => {
    const s = paired();
    s.session.leave();
    expect(ended(s)).toEqual({ state: "code", reason: "TECHNICIAN_ENDED" });
  });
});
