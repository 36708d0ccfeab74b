// Moves about in a picture that is larger than its box: by dragging it while
// the pointer is nobody's, and at the edges while it drives the remote desktop.

/** How near an edge the pointer asks for more, CSS pixels. */
const zone = 24;
/** How long it stays there first, so that going to the toolbar moves nothing, ms. */
const patience = 250;
/** From one step to the next, ms, and how far one goes, CSS pixels. */
const every = 40;
const stride = 24;

/** What is asked of a place near the edges of a box: -1, 0 or 1 a direction. */
export function edges(
  x: number,
  y: number,
  box: { readonly width: number; readonly height: number },
): { dx: number; dy: number } {
  const along = (at: number, size: number) => {
    if (at < 0 || at >= size || size < 4 * zone) return 0;
    return at < zone ? -1 : at >= size - zone ? 1 : 0;
  };
  return { dx: along(x, box.width), dy: along(y, box.height) };
}

/**
 * Listens on the box that scrolls. Returns what stops it.
 * @param held what is drawn in it and may be taken hold of
 * @param driven the pointer drives the remote desktop
 */
export function attachPan(stage: HTMLElement, held: HTMLElement, driven: () => boolean): () => void {
  const stop = new AbortController();
  const on = { signal: stop.signal, passive: true };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let way = { dx: 0, dy: 0 };

  const walk = () => {
    const { scrollLeft, scrollTop } = stage;
    stage.scrollBy({ left: way.dx * stride, top: way.dy * stride, behavior: "instant" });
    const moved = stage.scrollLeft !== scrollLeft || stage.scrollTop !== scrollTop;
    timer = moved ? setTimeout(walk, every) : undefined;
  };
  const rest = () => {
    clearTimeout(timer);
    timer = undefined;
    way = { dx: 0, dy: 0 };
  };
  const scrolls = () => stage.scrollWidth > stage.clientWidth || stage.scrollHeight > stage.clientHeight;

  stage.addEventListener(
    "pointermove",
    (event) => {
      if (stage.hasPointerCapture(event.pointerId)) {
        stage.scrollBy({ left: -event.movementX, top: -event.movementY, behavior: "instant" });
        return;
      }
      // A browser says it again when what lies under a resting pointer changes.
      if (event.movementX === 0 && event.movementY === 0) return;
      if (!driven() || event.pointerType === "touch" || !scrolls()) {
        rest();
        return;
      }
      const box = stage.getBoundingClientRect();
      const inside = { width: stage.clientWidth, height: stage.clientHeight };
      const next = edges(event.clientX - box.left, event.clientY - box.top, inside);
      if (next.dx === way.dx && next.dy === way.dy) return;
      rest();
      way = next;
      if (way.dx !== 0 || way.dy !== 0) timer = setTimeout(walk, patience);
    },
    on,
  );
  stage.addEventListener("pointerleave", rest, on);
  stage.addEventListener(
    "pointerdown",
    (event) => {
      rest();
      // A finger scrolls by itself. On the scroll bars the pointer has its own work.
      const ours = event.target instanceof Node && held.contains(event.target);
      if (driven() || !ours || event.pointerType === "touch" || event.button > 1 || !scrolls()) return;
      stage.setPointerCapture(event.pointerId);
      stage.dataset["panning"] = "";
    },
    on,
  );
  for (const name of ["lostpointercapture", "pointercancel"])
    stage.addEventListener(name, () => delete stage.dataset["panning"], on);
  return () => {
    stop.abort();
    rest();
  };
}
