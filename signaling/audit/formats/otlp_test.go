package formats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// OpenTelemetry's own schema reads what a collector gets, every member of it.
func TestOTLPIsReadByOthers(t *testing.T) {
	f, _ := New("otlp", options(true))
	n := 0
	for line := range bytes.Lines(written(t, f)) {
		var got logspb.LogsData
		if err := protojson.Unmarshal(line, &got); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		want, err := lines(t)[n].Record()
		if err != nil {
			t.Fatal(err)
		}
		r := got.ResourceLogs[0].ScopeLogs[0].LogRecords[0]
		if r.EventName != want.Type || r.TimeUnixNano != uint64(want.Time.UnixNano()) || r.SeverityText != otlpSeverity[want.Outcome].text ||
			!strings.HasPrefix(r.SeverityNumber.String(), "SEVERITY_NUMBER_"+r.SeverityText) {
			t.Errorf("line %d: %v", n, r)
		}
		for _, a := range r.Attributes {
			if a.Key == "mainforte.index" && a.Value.GetIntValue() != want.Index || a.Key == "session.id" && a.Value.GetStringValue() != want.Session {
				t.Errorf("line %d: %v", n, a)
			}
		}
		if len(r.Attributes) < 8 {
			t.Errorf("line %d has only %v", n, r.Attributes)
		}
		n++
	}
	if n != len(lines(t)) {
		t.Errorf("%d lines", n)
	}
}

// taker is a collector that answers as it is told, then takes everything.
type taker struct {
	mu      sync.Mutex
	answers []func(http.ResponseWriter)
	records []string // event names of what it took
	wrong   string
}

func (c *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Method != "POST" || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer x" {
		c.wrong = r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type")
	}
	if len(c.answers) > 0 {
		a := c.answers[0]
		c.answers = c.answers[1:]
		a(w)
		return
	}
	var got logspb.LogsData
	if err := protojson.Unmarshal(body, &got); err != nil {
		c.wrong = err.Error()
	}
	for _, r := range got.ResourceLogs[0].ScopeLogs[0].LogRecords {
		c.records = append(c.records, r.EventName)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestEventsReachACollectorOverHTTP(t *testing.T) {
	c := &taker{}
	srv := httptest.NewServer(c)
	defer srv.Close()
	var complaints []string
	s := NewOTLP(context.Background(), srv.URL+"/v1/logs", srv.Client(), http.Header{"Authorization": {"Bearer x"}}, options(false), func(p string) { complaints = append(complaints, p) })
	all := lines(t)
	for range otlpBatch/len(all) + 1 { // one batch and a rest
		for _, n := range all {
			if err := s.Send(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.records) != otlpBatch {
		t.Errorf("%d records before Flush", len(c.records))
	}

	// Nothing is lost by a collector that cannot: the same is sent again.
	var later *Later
	c.answers = []func(http.ResponseWriter){status(503, "Retry-After", "7"), status(429), status(302, "Location", srv.URL+"/v1/logs")}
	if err := s.Flush(); !errors.As(err, &later) || later.After != 7*time.Second {
		t.Errorf("503: %v", err)
	}
	for range 2 {
		if err := s.Flush(); err == nil {
			t.Error("no error")
		}
	}
	if err := s.Flush(); err != nil || len(c.records) != (otlpBatch/len(all)+1)*len(all) || c.records[0] != "auth.login" {
		t.Errorf("%v, %d records", err, len(c.records))
	}
	if err := s.Flush(); err != nil || len(complaints) != 0 {
		t.Errorf("%v, %v", err, complaints)
	}

	// What it refuses in part is told, and not sent again.
	c.answers = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		_ = json.NewEncoder(w).Encode(map[string]any{"partialSuccess": map[string]any{"rejectedLogRecords": "1", "errorMessage": "too old"}})
	}}
	before := len(c.records)
	if err := errors.Join(s.Send(all[0]), s.Flush(), s.Flush(), s.Close()); err != nil || len(complaints) != 1 || !strings.Contains(complaints[0], "too old") || len(c.records) != before {
		t.Errorf("%v, %v", err, complaints)
	}
	if c.wrong != "" {
		t.Error(c.wrong)
	}
}
