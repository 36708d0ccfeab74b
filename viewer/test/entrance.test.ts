import { expect, test } from "vitest";
import { Entrance } from "../src/entrance";

/** An entrance whose fetches are answered by hand, and all that it does. */
function setup() {
  const log: string[] = [];
  const fetches: { resolve: (room: string) => void; reject: (why: Error) => void }[] = [];
  const entrance = new Entrance<string>(
    () => new Promise((resolve, reject) => fetches.push({ resolve, reject })),
    {
      busy: (on) => void log.push(on ? "busy" : "idle"),
      failed: () => void log.push("failed"),
    },
  );
  const go = () => entrance.go((room) => void log.push(`enter ${room}`));
  return { log, fetches, entrance, go };
}

test("a code enters once what it needs is there, and only one at a time", async () => {
  const { log, fetches, entrance, go } = setup();
  void entrance.fetch(); // while it is typed
  const gone = [go(), go()];
  expect(log).toEqual(["busy"]);
  fetches[0]?.resolve("room");
  await Promise.all(gone);
  await go();
  expect(log).toEqual(["busy", "idle", "enter room", "busy", "idle", "enter room"]);
  expect(fetches.length).toBe(1);
});

test("a failure is told to who waits, and the next try fetches again", async () => {
  const { log, fetches, entrance, go } = setup();
  const early = entrance.fetch().catch(() => "early"); // nobody is told while the code is typed
  const gone = go();
  fetches[0]?.reject(new Error("away"));
  await Promise.all([early, gone]);
  expect(log).toEqual(["busy", "idle", "failed"]);
  const again = go();
  fetches[1]?.resolve("room");
  await again;
  expect(log.slice(3)).toEqual(["busy", "idle", "enter room"]);
});

test("what was called off does not enter, though another does that was begun meanwhile", async () => {
  const { log, fetches, entrance, go } = setup();
  const off = go();
  entrance.callOff();
  entrance.callOff();
  expect(log).toEqual(["busy", "idle"]);
  const again = go();
  fetches[0]?.resolve("room");
  await Promise.all([off, again]);
  expect(log).toEqual(["busy", "idle", "busy", "idle", "enter room"]);
});

test("what was called off does not say that it failed", async () => {
  const { log, fetches, entrance, go } = setup();
  const off = go();
  entrance.callOff();
  fetches[0]?.reject(new Error("away"));
  await off;
  expect(log).toEqual(["busy", "idle"]);
});

test("an entry that throws is no server that cannot be reached", async () => {
  const { log, fetches, entrance } = setup();
  const gone = entrance.go(() => {
    throw new Error("ours");
  });
  fetches[0]?.resolve("room");
  await expect(gone).rejects.toThrow("ours");
  expect(log).toEqual(["busy", "idle"]);
});
