// Package track shows what moves like video: one encoder for all viewers of a
// screen, one RTP stream to each.
//
// A [Track] is a picture.Film: the pump gives it frames of an area while it is
// ready, it encodes each in a goroutine of its own and sends it at once to all
// [Viewer]s that are shown the picture. Nothing is ever queued. While a frame
// is encoded, or while what was sent before is not yet on the viewers' screens,
// it is not ready, and frames are skipped before anything is done for them.
//
// Which codec: VP8. On this class of machine it takes a third less CPU than VP9
// at its fastest (12 to 20 ms a frame of 1080p against 17 to 30, at the same
// PSNR of 40 dB and more and the same 35 kB), every browser with WebRTC decodes
// it (RFC 7742 §5), and what stands still is sent exactly by tiles anyway, so
// nothing is gained by 4:4:4. One thread: with two, libvpx spins and takes
// three times the CPU.
//
// How much: the least of what the area needs, what gcc takes the path for and
// what the viewers' own words, "shown", say that the path carries (see window).
// The last is quick and the first to notice; gcc is the ceiling.
//
// Lost packets are sent again by RTX when the viewer asks; on a long path that
// loses more than one in a hundred, FlexFEC-03 goes with them. Key frames are
// the enemy of a thin line: at the start, when a viewer cannot go on without
// one, and on a change of size; never more than one a second, and never two
// that nobody has shown.
package track

import (
	"errors"
	"image"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/vpx"
)

// Clock is RTP's for video, ticks a second.
const Clock = 90_000

const (
	// fullRate is what a whole screen of 1080p gets, bit/s: 40 kB a frame at 30
	// frames a second. Smaller areas get less.
	fullRate   = 9_600_000
	fullPixels = 1920 * 1080
	leastAim   = 500_000
	// leastRate is what is sent however bad the line looks, bit/s.
	leastRate = 150_000

	minQ, maxQ = 8, 56

	keyPause  = time.Second     // between two key frames
	keyRepeat = 2 * time.Second // before one that nobody has shown is sent again; doubles
	keyLimit  = 16 * time.Second
)

// ErrArea: the area has no pixel of the frame, or too many.
var ErrArea = errors.New("track: an impossible area")

// Track is the video of one screen. Its methods may be called from any
// goroutine, Frame and Idle by one at a time.
type Track struct {
	log   *slog.Logger
	start time.Time
	first uint32 // RTP timestamp of start
	work  sync.WaitGroup

	mu      sync.Mutex
	viewers []*Viewer // replaced, never changed in place
	onReady func()
	asked   bool      // somebody was told that it is not ready
	busy    bool      // a frame is being taken or encoded
	until   time.Time // nothing is taken before
	taken   time.Time // the last frame
	idle    bool      // the encoder is to be released
	closed  bool
	retry   *time.Timer

	enc      *vpx.Encoder // busy's, else mu's
	conf     vpx.Config
	area     image.Rectangle
	rects    []image.Rectangle // in area's own pixels; reused
	at       uint64            // time of the last frame, ticks since start
	gear     gear
	wantKey  bool
	keyAt    time.Time // when the last one was sent
	keyStamp uint32
	keySeen  bool // by a viewer
	keyWait  time.Duration
	counts   Counts
}

// Counts of a Track since it began.
type Counts struct {
	Frames, Keys, Bytes uint64
	// Encode is what encoding took, all frames together; Convert what turning
	// pixels into planes took.
	Encode, Convert time.Duration
	Speed           int // as it is now
	Scale           vpx.Scale
}

// New makes a Track without viewers. The error wraps vpx.ErrMissing where the
// program was built without libvpx: there is no video then.
func New(log *slog.Logger) (*Track, error) {
	probe, err := vpx.New(vpx.Config{Codec: vpx.VP8, Width: 16, Height: 16, Kbps: 100, Threads: 1, MaxQ: maxQ})
	if err != nil {
		return nil, err
	}
	probe.Close()
	return &Track{log: log, start: time.Now(), first: rand.Uint32(), onReady: func() {}, gear: newGear(), keyWait: keyRepeat}, nil
}

// OnReady implements picture.Film.
func (t *Track) OnReady(f func()) {
	t.mu.Lock()
	t.onReady = f
	t.mu.Unlock()
}

// Ready implements picture.Film.
func (t *Track) Ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ready(time.Now())
}

// ready decides, and if it is not, sees to it that onReady will be called.
func (t *Track) ready(now time.Time) bool {
	ok, again := t.room(now)
	t.asked = !ok
	if !ok && !again.IsZero() && !t.closed {
		if t.retry == nil {
			t.retry = time.AfterFunc(again.Sub(now), t.changed)
		} else {
			t.retry.Reset(again.Sub(now))
		}
	}
	return ok
}

// room says whether a frame may be taken, or when time alone will change that.
func (t *Track) room(now time.Time) (ok bool, again time.Time) {
	if t.closed || t.busy {
		return false, again
	}
	if now.Before(t.until) {
		return false, t.until
	}
	if calm := t.taken.Add(t.gear.pause()); now.Before(calm) {
		return false, calm
	}
	sooner := func(at time.Time) {
		if again.IsZero() || at.Before(again) {
			again = at
		}
	}
	someone := false
	for _, v := range t.viewers {
		if !v.watches() {
			continue
		}
		switch full, until := v.window.full(now); {
		case v.window.lost && now.Before(v.window.retryAt):
			sooner(v.window.retryAt) // it does not hold up the others
		case full:
			return false, until
		case (v.waits || v.window.lost) && now.Before(t.keyFree()):
			sooner(t.keyFree())
		default:
			someone = true
		}
	}
	return someone, again
}

// keyFree is when the next key frame may be sent.
func (t *Track) keyFree() time.Time {
	if t.keySeen || t.keyAt.IsZero() {
		return t.keyAt.Add(keyPause)
	}
	return t.keyAt.Add(t.keyWait)
}

// changed calls onReady if somebody waits for it and there is room now.
func (t *Track) changed() {
	t.mu.Lock()
	tell := t.asked && t.ready(time.Now())
	f := t.onReady
	t.mu.Unlock()
	if tell {
		f()
	}
}

// Frame implements picture.Film. The error is picture.ErrSkipped or ErrArea,
// or wraps vpx's: then nothing is sent.
func (t *Track) Frame(f capture.Frame, area image.Rectangle, damage []image.Rectangle, key bool) (uint32, error) {
	area = area.Intersect(image.Rect(0, 0, f.Width, f.Height))
	if area.Empty() || area.Dx() > vpx.MaxSide || area.Dy() > vpx.MaxSide {
		return 0, ErrArea
	}
	now := time.Now()
	t.mu.Lock()
	t.wantKey = t.wantKey || key
	if !t.ready(now) {
		t.mu.Unlock()
		return 0, picture.ErrSkipped
	}
	conf := vpx.Config{
		Codec: vpx.VP8, Width: area.Dx(), Height: area.Dy(), Scale: t.gear.scale, Speed: t.gear.speed,
		Kbps: t.rate(area), Threads: 1, MinQ: minQ, MaxQ: maxQ,
	}
	fresh := t.enc == nil || conf.Width != t.conf.Width || conf.Height != t.conf.Height || conf.Scale != t.conf.Scale
	free := !now.Before(t.keyFree())
	if fresh && !free {
		if t.enc != nil && area == t.area {
			conf.Scale, fresh = t.conf.Scale, false // another scale can wait
		} else {
			t.until = t.keyFree()
			t.ready(now)
			t.mu.Unlock()
			return 0, picture.ErrSkipped
		}
	}
	key = t.needsKey() && free
	moved := area != t.area
	t.at = max(t.at+1, uint64(now.Sub(t.start))*Clock/uint64(time.Second))
	at := t.at
	t.busy, t.area, t.taken = true, area, now
	t.mu.Unlock()

	err := t.take(conf, fresh, moved, f, damage)
	if err != nil {
		t.done()
		return 0, err
	}
	t.work.Add(1)
	go t.encode(at, key || fresh)
	return t.first + uint32(at), nil
}

// needsKey says whether a key frame is wanted by anybody.
func (t *Track) needsKey() bool {
	if t.wantKey {
		return true
	}
	return slices.ContainsFunc(t.viewers, func(v *Viewer) bool {
		return v.watches() && (v.waits || v.window.lost)
	})
}

// rate is what a frame of area may take, kbit/s.
func (t *Track) rate(area image.Rectangle) int {
	bps := aim(area)
	for _, v := range t.viewers {
		if v.watches() && !v.window.lost {
			bps = min(bps, v.rate())
		}
	}
	return max(bps, leastRate) / 1000
}

// take loads the pixels into the encoder's planes. It has busy.
func (t *Track) take(conf vpx.Config, fresh, moved bool, f capture.Frame, damage []image.Rectangle) error {
	if fresh {
		if t.enc != nil {
			t.enc.Close()
			t.enc = nil
		}
		enc, err := vpx.New(conf)
		if err != nil {
			return err
		}
		t.enc, t.conf = enc, conf
	}
	// Not for every little change: setting a rate costs libvpx its estimates.
	if d := conf.Kbps - t.conf.Kbps; d*20 > t.conf.Kbps || -d*20 > t.conf.Kbps {
		if err := t.enc.SetRate(conf.Kbps); err != nil {
			return err
		}
		t.conf.Kbps = conf.Kbps
	}
	if conf.Speed != t.conf.Speed {
		if err := t.enc.SetSpeed(conf.Speed); err != nil {
			return err
		}
		t.conf.Speed = conf.Speed
	}
	t.rects = t.rects[:0]
	covered := 0
	whole := image.Rect(0, 0, conf.Width, conf.Height)
	for _, r := range damage {
		if r = r.Sub(t.area.Min).Intersect(whole); !r.Empty() {
			t.rects = append(t.rects, r)
			covered += r.Dx() * r.Dy()
		}
	}
	active := t.rects
	if fresh || moved {
		t.rects = append(t.rects[:0], whole)
	}
	if fresh || moved || covered*4 > whole.Dx()*whole.Dy()*3 {
		active = nil
	}
	if err := t.enc.SetActive(active); err != nil {
		return err
	}
	began := time.Now()
	from := t.area.Min.Y*f.Width + t.area.Min.X
	err := t.enc.Load(f.Pix[from:], f.Width, t.rects)
	t.mu.Lock()
	t.counts.Convert += time.Since(began)
	t.mu.Unlock()
	return err
}

// encode makes one frame and sends it to all who may see it.
func (t *Track) encode(at uint64, key bool) {
	defer t.work.Done()
	defer t.done()
	if key {
		if err := t.enc.SetActive(nil); err != nil {
			t.log.Warn("video", "error", err)
		}
	}
	began := time.Now()
	frame, err := t.enc.Encode(at, key)
	took := time.Since(began)
	if err != nil {
		t.log.Warn("no video frame", "error", err)
		t.mu.Lock()
		t.idle = true // begin with a new one
		t.mu.Unlock()
		return
	}
	stamp := t.first + uint32(at)
	now := time.Now()
	t.mu.Lock()
	t.counts.Frames++
	t.counts.Bytes += uint64(len(frame.Data))
	t.counts.Encode += took
	if frame.Key {
		t.counts.Keys++
		if !t.keySeen && !t.keyAt.IsZero() {
			t.keyWait = min(2*t.keyWait, keyLimit)
		}
		t.wantKey, t.keyAt, t.keyStamp, t.keySeen = false, now, stamp, false
	} else {
		t.gear.took(took, now)
	}
	viewers := t.viewers
	for _, v := range viewers {
		v.next = v.watches() && (frame.Key || !v.waits && !v.window.lost)
		if v.next {
			v.waits = false
			v.window.add(stamp, len(frame.Data), now)
		}
	}
	t.mu.Unlock()
	for _, v := range viewers {
		if v.next {
			v.send(stamp, frame.Data)
		}
	}
}

// done ends busy.
func (t *Track) done() {
	t.mu.Lock()
	t.busy = false
	if t.idle || t.closed {
		t.release()
	}
	t.mu.Unlock()
	t.changed()
}

// release gives the encoder back. It holds mu, and nothing is busy.
func (t *Track) release() {
	if t.enc != nil {
		t.enc.Close()
	}
	t.enc, t.idle = nil, false
}

// Idle implements picture.Film.
func (t *Track) Idle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle = true; !t.busy {
		t.release()
	}
}

// Close ends the Track. When it returns, nothing more is encoded or sent.
func (t *Track) Close() {
	t.mu.Lock()
	t.closed = true
	viewers := t.viewers
	t.viewers = nil
	if t.retry != nil {
		t.retry.Stop()
	}
	t.mu.Unlock()
	for _, v := range viewers {
		v.gate(false)
	}
	t.work.Wait()
	t.mu.Lock()
	t.release()
	t.mu.Unlock()
}

// Counts says what was done so far.
func (t *Track) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Speed, c.Scale = t.gear.speed, t.gear.scale
	return c
}

// seen is a viewer's word that a frame is on its screen.
func (t *Track) seen(v *Viewer, stamp uint32) {
	t.mu.Lock()
	if v.window.shown(stamp, time.Now()) && stamp-t.keyStamp < 1<<31 && !t.keyAt.IsZero() {
		t.keySeen, t.keyWait = true, keyRepeat
	}
	t.mu.Unlock()
	t.changed()
}

// lacks is a viewer's word that it cannot decode what it has.
func (t *Track) lacks(v *Viewer) {
	t.mu.Lock()
	if v.shown && !t.keyAt.IsZero() {
		t.wantKey = true
	}
	t.mu.Unlock()
}
