package formats

import (
	"github.com/mainforte/mainforte/signaling/audit"
)

// ocsf is the Open Cybersecurity Schema Framework. A remote assistance session has
// no class of its own; RDP Activity is the nearest. The whole event stands under
// unmapped, so a reader that knows us loses nothing.
type ocsf struct{ o Options }

const ocsfVersion = "1.3.0"

func (ocsf) Head() []byte { return nil }

// OCSF classes, by category × 1000 + number.
const (
	accountChange    = 3001
	authentication   = 3002
	authorizeSession = 3003
	rdpActivity      = 4005
	apiActivity      = 6003
)

// other is the activity of every class that has no number of its own.
const other = 99

// activity is an OCSF class and activity_id, each from the schema's own files.
type activity struct{ class, id int }

var activities = map[string]activity{
	"session":           {rdpActivity, other},
	"session.requested": {rdpActivity, 3}, // Connect Request
	"session.rejected":  {rdpActivity, 3},
	"session.paired":    {rdpActivity, 4}, // Connect Response
	"session.ended":     {rdpActivity, 7}, // Disconnect
	"session.resumed":   {rdpActivity, 8}, // Reconnect
	"session.route":     {rdpActivity, 6}, // Traffic
	"participant":       {rdpActivity, other},
	"invite":            {rdpActivity, other},
	"watch":             {rdpActivity, other},
	"protocol":          {rdpActivity, other},
	"file":              {rdpActivity, 6}, // the hash stands in the line itself
	"input":             {rdpActivity, 6},
	"clipboard":         {rdpActivity, 6},
	"screenshot":        {rdpActivity, 6},
	"sysinfo":           {rdpActivity, 6},
	"chat":              {rdpActivity, other},
	"abuse":             {rdpActivity, other},
	"marks":             {rdpActivity, 6},
	"reconnect":         {rdpActivity, other},
	"steps":             {rdpActivity, 6},
	"display":           {rdpActivity, other},
	"host":              {rdpActivity, 7},
	"consent":           {authorizeSession, other},
	"consent.granted":   {authorizeSession, 1}, // Assign Privileges
	"consent.denied":    {authorizeSession, 1},
	"control":           {authorizeSession, other},
	"auth.login":        {authentication, 1}, // Logon
	"auth.failed":       {authentication, 1},
	"auth.logout":       {authentication, 2}, // Logoff
	"auth":              {accountChange, other},
	"auth.disabled":     {accountChange, 5}, // Disable
	"auth.link_used":    {accountChange, 1}, // Create
	"factor":            {accountChange, other},
	"token":             {accountChange, other},
	"team":              {accountChange, other},
	"auth.role_changed": {accountChange, other},
	"auth.enabled":      {accountChange, 2}, // Enable
	"auth.provided":     {accountChange, 1},
	"token.created":     {accountChange, 1},
	"token.revoked":     {accountChange, 6}, // Delete
	"ticket":            {apiActivity, 3},   // Update
	"ticket.created":    {apiActivity, 1},   // Create
	"waiting":           {apiActivity, other},
	"phrase":            {apiActivity, 3},
	"phrase.added":      {apiActivity, 1},
	"phrase.removed":    {apiActivity, 4}, // Delete
	"resolution":        {apiActivity, 3},
	"solution":          {apiActivity, 3},
	"solution.promoted": {apiActivity, 1},
	"log":               {apiActivity, 3},
	"log.viewed":        {apiActivity, 2}, // Read
	"log.verify":        {apiActivity, 2}, // Read
	"log.exported":      {apiActivity, 2},
	"policy":            {apiActivity, 3},
	"brand":             {apiActivity, 3},
	"legal_hold":        {apiActivity, 3},
	"desk":              {apiActivity, 3},
	"desk.added":        {apiActivity, 1},
	"desk.removed":      {apiActivity, 4}, // Delete
	"desk.checked":      {apiActivity, 2}, // Read
	"appointment":       {apiActivity, 3},
	"appointment.made":  {apiActivity, 1},
	"retention":         {apiActivity, 4}, // Delete
}

// categories are the names of class / 1000.
var categories = map[int]string{3: "Identity & Access Management", 4: "Network Activity", 6: "Application Activity"}

var classes = map[int]string{
	accountChange: "Account Change", authentication: "Authentication", authorizeSession: "Authorize Session",
	rdpActivity: "RDP Activity", apiActivity: "API Activity",
}

func (f ocsf) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := f.o.read(n)
	if err != nil {
		return nil, err
	}
	a, ok := kindOf(activities, r.Type)
	if !ok {
		a = activity{apiActivity, other}
	}
	severity, severityName := 1, "Informational"
	switch r.Outcome {
	case "deny":
		severity, severityName = 2, "Low"
	case "fail":
		severity, severityName = 3, "Medium"
	}
	status, statusName := 1, "Success"
	if r.Outcome != "ok" {
		status, statusName = 2, "Failure"
	}
	user := object{"type_id": other, "type": r.Actor.Kind}.put("uid", r.Actor.Ref).put("name", f.o.who(r))
	o := object{
		"activity_id": a.id, "activity_name": r.Type, "category_uid": a.class / 1000, "category_name": categories[a.class/1000],
		"class_uid": a.class, "class_name": classes[a.class], "type_uid": a.class*100 + a.id,
		"severity_id": severity, "severity": severityName, "status_id": status, "status": statusName, "time": r.Time.UnixMilli(),
		"metadata": object{
			"version": ocsfVersion, "uid": r.ID, "sequence": r.Index, "log_name": "mainforte", "original_time": stamp(r),
			"product": object{"name": "Mainforte", "vendor_name": "Mainforte"}.put("version", f.o.Version),
		}.put("log_provider", f.o.Origin).put("correlation_uid", r.Session),
		"unmapped": object{"type": r.Type, "origin": r.Origin, "outcome": r.Outcome, "ms": r.MonoMS, "leaf_hash": hash(n), "personal_state": f.o.state(n)}.
			put("session", r.Session).put("ticket", r.Ticket).put("data", r.Data).put("personal", r.Personal),
	}
	viewer := object{"name": "viewer"}.put("ip", address(r, "address", "viewer_address"))
	host := object{"name": "host"}.put("ip", address(r, "host_address"))
	switch a.class {
	case rdpActivity:
		o["src_endpoint"], o["dst_endpoint"], o["actor"] = viewer, host, object{"user": user}
	case authorizeSession:
		o["user"], o["dst_endpoint"], o["privileges"] = user, host, []string{}
		if g, ok := r.Data["grant"].(string); ok {
			o["privileges"] = []string{g}
		}
		o.put("session", object{}.put("uid", r.Session))
	case authentication:
		o["user"], o["src_endpoint"], o["service"], o["is_remote"] = user, viewer, object{"name": "mainforte"}, true
	case accountChange:
		o["user"], o["src_endpoint"] = user, viewer
		if id, ok := r.Data["user"].(string); ok {
			o["user"], o["actor"] = object{"uid": id}, object{"user": user}
		}
	case apiActivity:
		o["actor"], o["api"], o["src_endpoint"] = object{"user": user}, object{"operation": r.Type}, viewer
	}
	return o.line(b), nil
}
