// The video above the canvas: what shows when, and what is said to the host.
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Film, type Player, type Receiver } from "../src/picture/film";
import type { Area, Video } from "../src/wire/picture";

type Presented = (now: number, frame: { rtpTimestamp?: number }) => void;

class FakePlayer implements Player {
  srcObject: MediaProvider | null = null;
  hidden = false;
  style = { left: "", top: "", width: "", height: "", clipPath: "" };
  waits: Presented | undefined;
  played = 0;
  async play() {
    this.played++;
    throw new Error("interrupted"); // as a browser says when the element is hidden meanwhile
  }
  requestVideoFrameCallback(call: Presented) {
    this.waits = call;
    return 1;
  }
  cancelVideoFrameCallback() {
    this.waits = undefined;
  }
  /** A frame is on the screen. */
  present(rtpTimestamp?: number) {
    const call = this.waits;
    this.waits = undefined;
    call?.(0, rtpTimestamp === undefined ? {} : { rtpTimestamp });
  }
}

class FakeStream {
  constructor(readonly tracks: unknown[]) {}
}

const at = (x: number, y: number, width: number, height: number): Area => ({ x, y, width, height });
const video = (timestamp: number, area: Area, ...rects: Area[]): Video => ({
  kind: "video",
  timestamp,
  area,
  rects,
});
const nothing = video(0, at(0, 0, 0, 0));

function setup() {
  const player = new FakePlayer();
  const clock = { now: 1000 };
  const film = new Film(player, () => clock.now);
  const shown: number[] = [];
  const sources: { rtpTimestamp: number }[] = [];
  const receiver: Receiver = { track: {} as MediaStreamTrack, getSynchronizationSources: () => sources };
  film.size(1000, 500);
  film.take(receiver, (timestamp) => shown.push(timestamp));
  return { player, clock, film, shown, sources };
}

beforeEach(() => vi.stubGlobal("MediaStream", FakeStream));

describe("video", () => {
  test("shows nothing until the host says so", () => {
    const { player } = setup();
    expect(player.hidden).toBe(true);
    expect(player.srcObject).toBeNull();
  });

  test("opens with the frame that the host named, or a later one", () => {
    const { player, film, shown } = setup();
    film.show(video(5000, at(100, 50, 200, 100), at(100, 50, 200, 100)));
    expect(player.hidden).toBe(false);
    // One pixel, so that the browser presents frames at all.
    expect(player.style).toEqual({
      left: "10%",
      top: "10%",
      width: "20%",
      height: "20%",
      clipPath: "inset(0% 99.5% 99% 0%)",
    });
    player.present(4999);
    expect(player.style.clipPath).not.toBe("none");
    player.present(5000);
    expect(player.style.clipPath).toBe("none");
    player.present(8000);
    expect(shown).toEqual([4999, 5000, 8000]);
  });

  test("counts timestamps on through zero", () => {
    const { player, film } = setup();
    const area = at(0, 0, 1000, 500);
    film.show(video(0xffffff00, area, area));
    player.present(0xfffffe00);
    expect(player.style.clipPath).not.toBe("none");
    player.present(0x10);
    expect(player.style.clipPath).toBe("none");
  });

  test("is clipped to its rectangles", () => {
    const { player, film } = setup();
    const area = at(0, 0, 1000, 500);
    film.show(video(1, area, at(100, 50, 700, 400)));
    player.present(1);
    expect(player.style.clipPath).toBe("inset(10% 20% 10% 10%)");
    film.show(video(2, area, at(0, 0, 100, 100), at(500, 250, 100, 50)));
    player.present(2);
    expect(player.style.clipPath).toBe(
      "polygon(0% 0%,0% 0%,10% 0%,10% 20%,0% 20%,0% 0%,0% 0%,50% 50%,60% 50%,60% 60%,50% 60%,50% 50%,0% 0%)",
    );
  });

  test("moves to another area with its frame", () => {
    const { player, film } = setup();
    const first = at(0, 0, 100, 100);
    film.show(video(1, first, first));
    player.present(1);
    const second = at(500, 0, 100, 100);
    film.show(video(9, second, second));
    player.present(8);
    expect(player.style.left).toBe("0%");
    player.present(9);
    expect(player.style.left).toBe("50%");
  });

  test("hides at once, keeps no frame, and says nothing more", () => {
    const { player, film, shown } = setup();
    const area = at(0, 0, 100, 100);
    film.show(video(1, area, area));
    player.present(1);
    const late = player.waits;
    film.show(nothing);
    expect(player.hidden).toBe(true);
    expect(player.srcObject).toBeNull();
    late?.(0, { rtpTimestamp: 2 });
    expect(shown).toEqual([1]);
    film.show(video(3, area, area));
    expect(player.hidden).toBe(false);
    expect(player.style.clipPath).not.toBe("none");
    player.present(3);
    expect(player.style.clipPath).toBe("none");
  });

  test("takes the next frame after a while where the browser does not name it", () => {
    const { player, film, clock, shown, sources } = setup();
    const area = at(0, 0, 100, 100);
    film.show(video(7, area, area));
    player.present();
    expect(player.style.clipPath).not.toBe("none");
    sources.push({ rtpTimestamp: 9 });
    clock.now += 50;
    player.present();
    expect(player.style.clipPath).toBe("none");
    expect(shown).toEqual([9]);
  });

  test("waits for few messages, whatever a host sends", () => {
    const { player, film } = setup();
    const area = at(0, 0, 100, 100);
    for (let n = 0; n < 1000; n++) film.show(video(n, area, at(0, 0, 1 + (n % 100), 50)));
    player.present(991);
    expect(player.style.clipPath).not.toContain("polygon");
    player.present(5000);
    expect(player.style.clipPath).toBe("inset(0% 0% 50% 0%)"); // the last one
  });

  test("shows nothing of a host that films without a track, nor after the end", () => {
    const { player, film } = setup();
    const area = at(0, 0, 100, 100);
    film.close();
    film.show(video(1, area, area));
    expect(player.hidden).toBe(true);
    expect(player.waits).toBeUndefined();
  });
});
