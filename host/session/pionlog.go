package session

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog leads what pion has to say to the engine's log: a person's terminal is
// no place for it. Its trace is left out: it would cost more than it tells.
type pionLog struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionScope{p.log.With("pion", scope)}
}

type pionScope struct{ log *slog.Logger }

func (pionScope) Trace(string)                {}
func (pionScope) Tracef(string, ...any)       {}
func (s pionScope) Debug(m string)            { s.log.Debug(m) }
func (s pionScope) Debugf(f string, a ...any) { s.log.Debug(fmt.Sprintf(f, a...)) }
func (s pionScope) Info(m string)             { s.log.Debug(m) }
func (s pionScope) Infof(f string, a ...any)  { s.log.Debug(fmt.Sprintf(f, a...)) }
func (s pionScope) Warn(m string)             { s.log.Info(m) }
func (s pionScope) Warnf(f string, a ...any)  { s.log.Info(fmt.Sprintf(f, a...)) }
func (s pionScope) Error(m string)            { s.log.Info(m) }
func (s pionScope) Errorf(f string, a ...any) { s.log.Info(fmt.Sprintf(f, a...)) }
