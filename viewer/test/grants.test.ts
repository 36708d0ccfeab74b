// What the person allowed decides what is seen and what the hands may do.
import { describe, expect, test, vi } from "vitest";
import { GrantState, NoticeCode } from "../src/gen/session_pb";
import { attached, grants, live } from "./rig";

describe("grants", () => {
  test("the person is asked, allows, and the first picture makes it live", async () => {
    const s = await attached();
    s.connection().events.proven();
    s.connection().events.toolsUp();
    s.connection().events.control(grants(GrantState.ASKED));
    expect(s.session.view.state).toBe("asking");
    s.session.painted({ kind: "painted" }); // of a host that does not wait for its person
    expect(s.session.view.state).toBe("asking");
    s.connection().events.control(grants(GrantState.ALLOWED));
    expect(s.session.view.state).toBe("connecting");
    s.session.painted({ kind: "painted" });
    expect(s.session.view.state).toBe("live");
  });

  test("a view that is taken back blanks the picture at once and closes the hands", async () => {
    const s = await live();
    s.connection().events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    expect(s.connection().sender.open).toBe(true);
    s.picture.log = [];
    s.connection().events.control(grants(GrantState.REVOKED, GrantState.ALLOWED));
    expect(s.picture.log).toEqual(["blank"]);
    expect(s.session.view.state).toBe("asking");
    expect(s.connection().sender.open).toBe(false);
    s.session.ask("view");
    expect(s.connection().log.at(-1)).toContain('"name":"view"');
    s.connection().events.control(grants(GrantState.ALLOWED));
    expect(s.picture.log).toEqual(["blank", "unblank"]);
    expect(s.session.view.state).toBe("connecting");
  });

  test("hands open with the control grant only, and close when it goes or the path breaks", async () => {
    const s = await live();
    const { events, sender } = s.connection();
    expect(sender.open).toBe(false);
    s.session.ask("control");
    expect(s.connection().log.at(-1)).toContain('"name":"control"');
    events.control(grants(GrantState.ALLOWED, GrantState.ASKED));
    expect(sender.open).toBe(false);
    events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    expect(sender.open).toBe(true);
    events.path("interrupted");
    expect(sender.open).toBe(false);
    events.path("up");
    expect(sender.open).toBe(true);
    events.control(grants(GrantState.ALLOWED, GrantState.REVOKED));
    expect(sender.open).toBe(false);
    expect(s.session.view.news).toEqual({ kind: "revoked" });
    events.control(grants(GrantState.ALLOWED, GrantState.ALLOWED));
    s.session.giveBack("control");
    expect(sender.open).toBe(false);
  });

  test("what the policy rules out is said, opens no hands, and so does the end that comes near", async () => {
    const s = await live();
    const { events, sender } = s.connection();
    events.control(grants(GrantState.ALLOWED, GrantState.RULED_OUT));
    expect(sender.open).toBe(false);
    expect(s.session.view.news).toEqual({ kind: "ruledOut" });
    const before = Date.now();
    events.control({ case: "notice", value: { code: NoticeCode.TIME_SHORT, value: 5 } } as never);
    const ends = s.session.view.endsAt ?? 0;
    expect(ends - before).toBeGreaterThanOrEqual(300_000);
    expect(ends - before).toBeLessThan(310_000);
  });

  test("notices stand until they are resumed; an untyped key is told for a moment", async () => {
    const s = await live();
    const notice = (code: NoticeCode) =>
      s.connection().events.control({ case: "notice", value: { $typeName: "mf.v1.Notice", code, value: 0 } });
    notice(NoticeCode.INPUT_HELD_QUESTION);
    expect(s.session.view.held).toBe("question");
    notice(NoticeCode.INPUT_HELD_OWN_WINDOW);
    expect(s.session.view.held).toBe("own window");
    notice(NoticeCode.INPUT_RESUMED);
    expect(s.session.view.held).toBe(null);
    vi.useFakeTimers();
    notice(NoticeCode.KEY_NOT_TYPED);
    expect(s.session.view.news).toEqual({ kind: "untyped" });
    vi.advanceTimersByTime(6000);
    expect(s.session.view.news).toBe(null);
    vi.useRealTimers();
  });
});
