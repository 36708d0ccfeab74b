// What a supervisor sees: the sessions that are open, as the server tells of them, and the figures of today.
import {
  api,
  asProblem,
  type Colleague,
  type Figures,
  type LiveSession,
  type Problem,
  type WaitingRoom,
} from "../lib/api";
import { midnight } from "../lib/format";
import { listen, type News } from "../lib/news";

/** The figures change with every session: they are asked for again at most so often. */
const figuresMs = 10_000;
/** How often a line is tried again that the browser gave up. */
const againMs = 10_000;
/** How often the page counts on; it shows minutes. */
const tickMs = 15_000;

export class Floor {
  sessions = $state.raw<LiveSession[] | null>(null);
  room = $state.raw<WaitingRoom | null>(null);
  /** Who works on tickets, those who are there first. */
  crew = $state.raw<Colleague[]>([]);
  problem = $state.raw<Problem | null>(null);
  figures = $state.raw<Figures | null>(null);
  figuresProblem = $state.raw<Problem | null>(null);
  /** Now, by the server's clock. */
  now = $state(Date.now());
  /** The line to the server is away: what is shown may be old. */
  away = $state(false);

  private ahead = 0; // of our clock, ms
  private run = 0;
  private counted = 0; // when the figures were asked for
  private counting: ReturnType<typeof setTimeout> | undefined;

  /** Listens until what is returned is called. */
  start(): () => void {
    let stop = (): void => undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const line = (): void => {
      stop = listen(
        (n) => {
          this.heard(n);
        },
        () => void this.load(),
        (forGood) => {
          this.away = true;
          if (!forGood) return;
          again = setTimeout(() => {
            stop();
            line();
            void this.load();
          }, againMs);
        },
      );
    };
    line();
    void this.load();
    const tick = setInterval(() => {
      this.now = Date.now() - this.ahead;
    }, tickMs);
    return () => {
      stop();
      clearTimeout(again);
      clearTimeout(this.counting);
      clearInterval(tick);
    };
  }

  heard(n: News): void {
    if (n.kind === "sessions" || n.kind === "waiting" || n.kind === "people") void this.load();
  }

  async load(): Promise<void> {
    const run = ++this.run;
    try {
      const [{ now, sessions }, room, { colleagues }] = await Promise.all([
        api.live(),
        api.waiting(),
        api.colleagues(),
      ]);
      if (run !== this.run) return;
      this.ahead = Date.now() - Date.parse(now);
      this.now = Date.parse(now);
      this.sessions = sessions;
      this.room = room;
      this.crew = colleagues;
      this.problem = null;
      this.away = false;
    } catch (e) {
      if (run !== this.run) return;
      this.problem = asProblem(e);
      // The list stays as it was; the banner says that it may be old.
      if (this.problem.status === 0) this.away = true;
    }
    this.count();
  }

  /** Asks for the figures, now or when it is time again. */
  private count(): void {
    clearTimeout(this.counting);
    const wait = this.counted + figuresMs - Date.now();
    if (wait > 0) this.counting = setTimeout(() => void this.loadFigures(), wait);
    else void this.loadFigures();
  }

  async loadFigures(): Promise<void> {
    this.counted = Date.now();
    try {
      this.figures = await api.figures(midnight());
      this.figuresProblem = null;
    } catch (e) {
      this.figuresProblem = asProblem(e);
    }
  }

  /** Asks the technician to be invited. Throws a Problem. */
  async watch(session: string): Promise<void> {
    await api.askToWatch(session);
    await this.load();
  }

  /** Ends a session. Throws a Problem. */
  async end(session: string, why: string): Promise<void> {
    await api.endSession(session, why);
    await this.load();
  }
}
