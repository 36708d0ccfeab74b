package session

import (
	"errors"
	"fmt"

	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/host/vpx"
	"github.com/mainforte/mainforte/internal/wire"
)

// openFilm makes the session's video track before its first connection, so that
// every connection has a place on it. A host without libvpx has none: everything
// goes by tiles.
func (l *live) openFilm() {
	film, err := track.New(l.h.log)
	if err != nil {
		if !errors.Is(err, vpx.ErrMissing) {
			l.h.log.Error("no video", "error", err)
		}
		return
	}
	l.film = film
}

// joinFilm registers what the link's connection needs for the video track.
func (l *link) joinFilm(me *webrtc.MediaEngine, reg *interceptor.Registry) error {
	film := l.h.live.film
	if film == nil {
		return track.Decline(me)
	}
	var err error
	l.film, err = film.Join(me, reg)
	return err
}

// offerFilm puts the track into the connection that was made. Nothing is sent on
// it before showFilm.
func (l *link) offerFilm() error {
	if l.film == nil {
		return nil
	}
	listen, err := l.film.Offer(l.pc)
	if err != nil {
		return err
	}
	l.h.spawn(listen)
	return nil
}

// showFilm begins to send video to the link, or stops: when it returns, no more
// of it leaves the host. It is called with the link's own tiles: after the proof
// and with the view grant only.
func (l *link) showFilm(on bool) {
	if l.film != nil {
		l.film.Show(on)
	}
}

// seesFilm tells whether the viewer agreed to the track. It is known when the
// connection stands.
func (l *link) seesFilm() bool { return l.film != nil && l.film.Bound() }

// leaveFilm ends the link's part of the track.
func (l *link) leaveFilm() {
	if l.film != nil {
		l.film.Leave()
	}
}

// onFast reads one message on in-fast: input, or what the viewer has shown of
// the video, which is no input and needs no control.
func (l *link) onFast(m webrtc.DataChannelMessage) error {
	if !wire.IsShown(m.Data) {
		err := l.recv.Handle(input.InFast, m.Data)
		if err == nil {
			l.tiles.look(m.Data)
		}
		return err
	}
	stamp, err := wire.ParseShown(m.Data)
	if err == nil && l.film != nil {
		l.film.Shown(stamp)
	}
	return err
}

// acceptable tells whether an offer asks for nothing but the data channels and,
// at most, one video track to receive. A viewer shows nothing to the host.
func acceptable(offer string) error {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return fmt.Errorf("%w: %v", errProtocol, err)
	}
	data, video := 0, 0
	for _, m := range d.MediaDescriptions {
		switch m.MediaName.Media {
		case "application":
			data++
		case "video":
			video++
			_, receives := m.Attribute("recvonly")
			_, inactive := m.Attribute("inactive")
			if !receives && !inactive {
				return fmt.Errorf("%w: a viewer that would send video", errProtocol)
			}
		default:
			return fmt.Errorf("%w: %q offered", errProtocol, m.MediaName.Media)
		}
	}
	if data != 1 || video > 1 {
		return fmt.Errorf("%w: %d data sections and %d of video offered", errProtocol, data, video)
	}
	return nil
}
