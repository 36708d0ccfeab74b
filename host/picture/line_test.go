package picture_test

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/wire"
)

// line is a thin line to a viewer in a time of its own: what it does does not
// depend on the machine that runs the test. Messages queue at a bottleneck of so
// many bytes a second and then take oneWay; so do acknowledgements, unqueued.
type line struct {
	viewer
	stream *picture.Stream
	d      *desktop
	now    time.Time
	rate   float64
	oneWay time.Duration
	free   time.Time // when the bottleneck is
	coming []arrival
	acking []arrival
	shown  []time.Time // when updates came onto the canvas
	queued int         // bytes before the bottleneck, the most that there were
}

type arrival struct {
	at  time.Time
	msg []byte
}

func newLine(t *testing.T, d *desktop, rate float64, rtt time.Duration) *line {
	l := &line{viewer: viewer{t: t}, d: d, now: time.Unix(1000, 0), rate: rate, oneWay: rtt / 2}
	l.stream = said(t, l)
	l.stream.SetClock(func() time.Time { return l.now })
	t.Cleanup(l.Close)
	return l
}

func (l *line) Send(msg []byte) error {
	if l.free.Before(l.now) {
		l.free = l.now
	}
	const overhead = 60 // SCTP, DTLS, UDP, IP
	l.free = l.free.Add(time.Duration(float64(len(msg)+overhead) / l.rate * float64(time.Second)))
	l.queued = max(l.queued, int(l.free.Sub(l.now).Seconds()*l.rate))
	l.coming = append(l.coming, arrival{l.free.Add(l.oneWay), append([]byte(nil), msg...)})
	return nil
}

// run lets time pass, millisecond by millisecond; each is called for each.
func (l *line) run(d time.Duration, each func()) {
	l.t.Helper()
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(time.Millisecond) {
		for len(l.coming) > 0 && !l.coming[0].at.After(l.now) {
			if err := l.viewer.Send(l.coming[0].msg); err != nil {
				l.t.Fatal(err)
			}
			for _, a := range l.acks {
				l.shown = append(l.shown, l.now)
				paint := time.Duration(a*7919%25) * time.Millisecond // browsers are not even
				at := l.now.Add(l.oneWay + paint)
				if n := len(l.acking); n > 0 && at.Before(l.acking[n-1].at) {
					at = l.acking[n-1].at
				}
				l.acking = append(l.acking, arrival{at, wire.AppendAck(nil, a)})
			}
			l.acks = l.acks[:0]
			l.coming = l.coming[1:]
		}
		for len(l.acking) > 0 && !l.acking[0].at.After(l.now) {
			if err := l.stream.Handle(l.acking[0].msg); err != nil {
				l.t.Fatal(err)
			}
			l.acking = l.acking[1:]
		}
		if each != nil {
			each()
		}
		if err := l.stream.Frame(l.d.frame()); err != nil {
			l.t.Fatal(err)
		}
	}
}

// echo types a letter at x, y and returns how long it takes to the canvas,
// while each goes on.
func (l *line) echo(x, y int, each func()) time.Duration {
	l.t.Helper()
	colour := uint32(0x100000) | uint32(l.now.UnixNano()>>20)&0xffff
	began := l.now
	l.d.paint(cutout(x, y, 8, 16), func(int, int) uint32 { return colour })
	for l.Pix[(y+8)*l.Width+x+4] != colour {
		l.run(time.Millisecond, each)
		if l.now.Sub(began) > 10*time.Second {
			l.t.Fatal("the letter never comes")
		}
	}
	return l.now.Sub(began)
}

// worst is the longest time between two updates on the canvas.
func (l *line) worst(from time.Time) (gap time.Duration) {
	last := from
	for _, at := range l.shown {
		if at.After(from) {
			gap, last = max(gap, at.Sub(last)), at
		}
	}
	return gap
}

const mbit = 1e6 / 8

// newReader is a line of 40 ms to a desktop full of text, of which r scrolls by so
// many pixels 30 times a second while scroll is called.
func newReader(t *testing.T, d *desktop, rate float64, r image.Rectangle, by int) (l *line, scroll func()) {
	page := newPage()
	d.paint(d.bounds(), page.at)
	l = newLine(t, d, rate, 40*time.Millisecond)
	y := 0
	return l, func() {
		if l.now.UnixMilli()%33 == 0 {
			y += by
			d.paint(r, page.below(y))
		}
	}
}

// A whole picture is on its way over a thin line: what is typed meanwhile does
// not wait for it.
func TestAKeyIsNotBehindAPicture(t *testing.T) {
	d := newDesktop(1280, 720)
	d.photo(d.bounds(), rand.New(rand.NewPCG(1, 1)))
	l := newLine(t, d, 2*mbit, 40*time.Millisecond)
	l.stream.Look(image.Pt(640, 360))
	l.run(600*time.Millisecond, nil)
	if l.Width == 0 {
		t.Fatal("no picture has begun")
	}
	for i := range 20 {
		took := l.echo(600+8*i, 352, nil)
		t.Logf("letter %d took %v", i, took)
		if took > 200*time.Millisecond {
			t.Errorf("letter %d took %v", i, took)
		}
		l.run(53*time.Millisecond, nil)
	}
	if err := l.shows(d); err == nil {
		t.Error("the picture was there all the time: this shows nothing")
	}
	l.run(20*time.Second, nil)
	if err := l.shows(d); err != nil {
		t.Error(err)
	}
}

// Text scrolls in one window over a thin line while keys are typed into another:
// what they show does not wait for the text, not even if both change at once.
func TestAKeyIsNotBehindTextThatScrolls(t *testing.T) {
	simulation(t)
	d := newDesktop(1280, 720)
	l, scroll := newReader(t, d, 2*mbit, image.Rect(0, 0, 1000, 720), 40)
	l.run(4*time.Second, nil)
	l.run(2*time.Second, scroll)
	var all []time.Duration
	for i := range 40 {
		l.run(time.Duration(33+i%33)*time.Millisecond, scroll)
		for i%2 == 0 && l.now.UnixMilli()%33 != 0 {
			l.run(time.Millisecond, scroll)
		}
		all = append(all, l.echo(1100+8*(i%8), 300, scroll))
	}
	slices.Sort(all)
	t.Logf("letters took %v", all)
	if mid, late := all[len(all)/2], all[len(all)*19/20]; mid > 45*time.Millisecond || late > 70*time.Millisecond {
		t.Errorf("a letter took %v, and at worst but one in twenty %v", mid, late)
	}
	l.run(3*time.Second, nil)
	if err := l.shows(d); err != nil {
		t.Error(err)
	}
}

// What a key shows is an update of its own on a thin line, before what else came
// with it.
func TestTheEchoOfAKeyIsAnUpdateOfItsOwn(t *testing.T) {
	d := newDesktop(1280, 720)
	l, scroll := newReader(t, d, 2*mbit, image.Rect(0, 0, 1000, 720), 24)
	l.run(4*time.Second, nil)
	l.run(time.Second, scroll)
	l.run(time.Second, nil) // nothing is under way
	before := len(l.coming)
	if before > 0 {
		t.Fatalf("%d messages are under way", before)
	}
	d.paint(image.Rect(0, 0, 1000, 720), newPage().below(5000))
	d.paint(cutout(1100, 300, 8, 16), func(int, int) uint32 { return 0xff0000 })
	if err := l.stream.Frame(d.frame()); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	size := 0
	for _, a := range l.coming {
		p, err := wire.ParsePiece(a.msg)
		if err != nil {
			t.Fatal(err)
		}
		if size += len(p.Data); p.Last {
			sizes, size = append(sizes, size), 0
		}
	}
	if len(sizes) != 2 || sizes[0] > 1000 || sizes[1] < 2000 {
		t.Errorf("updates of %v bytes", sizes)
	}
}

// A line that is not even a third of what the picture needs is used to the full.
func TestAThinLineIsUsed(t *testing.T) {
	d := newDesktop(800, 480)
	rng := rand.New(rand.NewPCG(1, 3))
	d.paint(d.bounds(), func(int, int) uint32 { return rng.Uint32() })
	l := newLine(t, d, 2*mbit, 40*time.Millisecond)
	l.run(time.Second, nil)
	before := l.bytes
	l.run(2*time.Second, nil)
	if got := float64(l.bytes-before) / 2; got < 0.85*2*mbit {
		t.Errorf("%.0f bytes a second of %.0f", got, 2*mbit)
	}
}

// Everything changes 60 times a second, and nothing is video: keys are still
// answered, wherever they are, and nothing piles up.
func TestAnAnimationOverTheWholeScreenAnswersKeys(t *testing.T) {
	simulation(t)
	d := newDesktop(640, 400)
	l := newLine(t, d, 8*mbit, 20*time.Millisecond)
	rng := rand.New(rand.NewPCG(1, 2))
	frame := 0
	animate := func() {
		if frame++; frame%16 == 0 {
			d.paint(image.Rect(0, 0, 640, 300), func(int, int) uint32 { return rng.Uint32() })
		}
	}
	l.run(2*time.Second, animate)
	for i := range 10 {
		updates := len(l.shown)
		took := l.echo(40*i, 350, animate)
		t.Logf("letter %d took %v and %d updates", i, took, len(l.shown)-updates)
		if n := len(l.shown) - updates; took > 1500*time.Millisecond || n > 60 {
			t.Errorf("letter %d took %v and %d updates", i, took, n)
		}
		l.run(37*time.Millisecond, animate)
	}
	if l.queued > 140<<10 {
		t.Errorf("%d bytes were queued", l.queued)
	}
	l.run(4*time.Second, nil)
	if err := l.shows(d); err != nil {
		t.Error(err)
	}
}

// Text scrolls over a line that becomes an eighth of itself, and again what it was.
// simulation is of many seconds, in one goroutine: the race detector would make it
// ten times as long and find nothing.
func simulation(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("a simulation in one goroutine: it runs without the race detector")
	}
}

func TestALineThatBecomesThinStallsNothing(t *testing.T) {
	simulation(t)
	d := newDesktop(800, 480)
	l, scroll := newReader(t, d, 8*mbit, image.Rect(64, 64, 750, 470), 24)
	l.run(3*time.Second, scroll)
	from := l.now
	n := len(l.shown)
	l.rate = 1 * mbit
	l.run(3*time.Second, scroll)
	thin := len(l.shown) - n
	l.rate = 8 * mbit
	l.run(3*time.Second, scroll)
	gap := l.worst(from)
	t.Logf("%d updates in 3 s of 1 Mbit/s, %d after it, worst gap %v, most queued %d", thin, len(l.shown)-n-thin, gap, l.queued)
	if gap > 500*time.Millisecond || thin < 50 {
		t.Errorf("gap %v, %d updates", gap, thin)
	}
	l.run(2*time.Second, nil)
	if err := l.shows(d); err != nil {
		t.Error(err)
	}
}
