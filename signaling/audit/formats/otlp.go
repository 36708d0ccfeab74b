package formats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
)

// otlp is OpenTelemetry's protocol, logs, as JSON (opentelemetry-proto 1.5,
// LogsData): a line is a whole message with one record, whose event name is the
// type. Attributes have the names of the semantic conventions where there are
// any. Whole numbers are texts in it, as in all JSON of protobuf.
type otlp struct{ o Options }

func (otlp) Head() []byte { return nil }

func (f otlp) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := f.record(n)
	if err != nil {
		return nil, err
	}
	return f.message(r).line(b), nil
}

// message is LogsData, or ExportLogsServiceRequest, which looks the same.
func (f otlp) message(records ...object) object {
	resource := attributes(map[string]any{"service.name": "mainforte-signaling", "service.version": f.o.Version, "mainforte.log": f.o.Origin})
	return object{"resourceLogs": []object{{
		"resource": object{"attributes": resource},
		"scopeLogs": []object{{
			"scope":      object{"name": "github.com/mainforte/mainforte/signaling/audit", "version": f.o.Version},
			"logRecords": records,
		}},
	}}}
}

// otlpSeverity of an outcome: SeverityNumber and its name.
var otlpSeverity = map[string]struct {
	number int
	text   string
}{"ok": {9, "INFO"}, "deny": {13, "WARN"}, "fail": {17, "ERROR"}}

func (f otlp) record(n audit.Line) (object, error) {
	r, err := f.o.read(n)
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(r.Time.UnixNano(), 10)
	severity := otlpSeverity[r.Outcome]
	return object{
		"timeUnixNano": at, "observedTimeUnixNano": at,
		"severityNumber": severity.number, "severityText": severity.text,
		"eventName": r.Type,
		"body":      anyValue(map[string]any(object{}.put("data", r.Data).put("personal", r.Personal))),
		"attributes": attributes(map[string]any{
			"session.id": r.Session, "user.id": r.Actor.Ref, "user.name": f.o.who(r), "user.roles": []any{r.Actor.Kind},
			"source.address": address(r, "address", "viewer_address"), "destination.address": address(r, "host_address"),
			"mainforte.index": r.Index, "mainforte.id": r.ID, "mainforte.outcome": r.Outcome, "mainforte.origin": r.Origin,
			"mainforte.ticket": r.Ticket, "mainforte.ms": r.MonoMS, "mainforte.leaf_hash": hash(n), "mainforte.personal_state": f.o.state(n),
		}),
	}, nil
}

// attributes are KeyValues in the order of their keys; empty texts are left out.
func attributes(m map[string]any) []object {
	list := []object{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != "" {
			list = append(list, object{"key": k, "value": anyValue(m[k])})
		}
	}
	return list
}

// anyValue is AnyValue; nothing is one without a member.
func anyValue(v any) object {
	switch v := v.(type) {
	case string:
		return object{"stringValue": v}
	case bool:
		return object{"boolValue": v}
	case int64:
		return object{"intValue": strconv.FormatInt(v, 10)}
	case float64:
		return object{"doubleValue": v}
	case []any:
		list := make([]object, len(v))
		for i, e := range v {
			list[i] = anyValue(e)
		}
		return object{"arrayValue": object{"values": list}}
	case map[string]any:
		list := []object{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, object{"key": k, "value": anyValue(v[k])})
		}
		return object{"kvlistValue": object{"values": list}}
	}
	return object{}
}

// OTLP carries events to a collector over HTTP, as JSON.
type OTLP struct {
	ctx     context.Context
	url     string
	client  *http.Client
	header  http.Header
	problem func(string)
	body    otlp
	records []object
}

// NewOTLP sends to url, which is usually https://…:4318/v1/logs, with these
// headers besides. problem hears what the collector took and did not like. ctx
// ends what is under way.
func NewOTLP(ctx context.Context, url string, client *http.Client, header http.Header, o Options, problem func(string)) *OTLP {
	// The records must not go where the collector points, nor the headers.
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Timeout = sendTime
	return &OTLP{ctx: ctx, url: url, client: &c, header: header, body: otlp{o}, problem: problem}
}

// otlpBatch is how many records are sent at once: below a megabyte, as a rule.
const otlpBatch = 512

// Later is the error of a collector that wants to be left alone for a time.
type Later struct{ After time.Duration }

func (l *Later) Error() string { return fmt.Sprintf("the collector wants a pause of %v", l.After) }

// Send takes an event. The collector has it at the latest when Flush returns.
func (s *OTLP) Send(n audit.Line) error {
	r, err := s.body.record(n)
	if err != nil {
		return err
	}
	if s.records = append(s.records, r); len(s.records) < otlpBatch {
		return nil
	}
	return s.Flush()
}

// maxReply bounds what is read of an answer.
const maxReply = 64 << 10

// Flush sends what was gathered. An error means that it may be sent again: none
// of it was taken, or nobody knows. *Later is in it where the collector said when.
func (s *OTLP) Flush() error {
	if len(s.records) == 0 {
		return nil
	}
	body := s.body.message(s.records...).line(nil)
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	for k, v := range s.header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("formats: the collector: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("formats: the collector answers %s", resp.Status)
		if after, e := strconv.Atoi(resp.Header.Get("Retry-After")); e == nil && after >= 0 {
			err = errors.Join(err, &Later{time.Duration(min(after, 3600)) * time.Second})
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("formats: the collector: %w", err)
	}
	s.records = s.records[:0]
	// What it refused in part must not be sent again (OTLP, partial success).
	var partial struct {
		PartialSuccess struct {
			Rejected json.RawMessage `json:"rejectedLogRecords"`
			Message  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(reply, &partial) == nil {
		if n := string(bytes.Trim(partial.PartialSuccess.Rejected, `"`)); n != "" && n != "0" && n != "null" || partial.PartialSuccess.Message != "" {
			s.problem(fmt.Sprintf("the collector refused %.20q records: %.200q", n, partial.PartialSuccess.Message))
		}
	}
	return nil
}

// Close ends it; what was not flushed is not sent.
func (s *OTLP) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
