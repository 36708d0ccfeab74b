package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/identity"
)

// saved writes a file and returns its name.
func saved(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAReceiptAndAProofAreVerifiedOffline(t *testing.T) {
	file := filepath.Join("audit", "receipt", "testdata", "receipt.json")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	report, _ := receipt.Verify(r, proof.Trust{})
	root := base64.StdEncoding.EncodeToString(report.EndRoot[:])
	text, err := os.ReadFile(filepath.Join("audit", "proof", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Proofs map[string]json.RawMessage
		Keys   map[string]string
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	session := saved(t, "proof.json", v.Proofs["rotated"])
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{0, "PROVEN: every line", []string{file, "--key", r.Proof.Keys[0]}},
		{0, "PROVEN by the ticket up to record", []string{file, "--ticket", root}},
		{2, "SIGNER UNPROVEN", []string{file}},
		{2, "technician Zoë Ölçü", []string{file}},
		{2, "consent.granted view", []string{file}},
		{1, "neither by the key you gave", []string{file, "--key", v.Keys["first"]}},
		{1, "statement", []string{saved(t, "r.json", []byte(strings.Replace(string(b), "Zoë", "Eve", 1)))}},
		{1, "record 2: it was changed", []string{saved(t, "r.json", []byte(strings.Replace(string(b), "consent.granted", "consent.revoked", 1)))}},
		{0, "PROVEN: every line", []string{session, "--key", v.Keys["first"]}},
		{0, "PROVEN: every line", []string{session, "--key", v.Keys["second"]}},
		{2, "SIGNER UNPROVEN", []string{session}},
	} {
		code, out, errs := called(t, append([]string{"verify"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, out, errs)
		}
	}
	for says, args := range map[string][]string{
		"is neither a receipt":          {saved(t, "x.json", []byte(`{"format":"x"}`))},
		"is neither a receipt nor":      {saved(t, "x.txt", []byte(`text`))},
		"this is not a proof":           {saved(t, "x.json", []byte(`{"format":"mainforte session proof v1"}`))},
		"this is not a receipt":         {saved(t, "x.json", []byte(`{"format":"mainforte receipt v1","more":1}`))},
		"--tsa-ca goes with":            {file, "--tsa-ca", file},
		"go with the address of a":      {file, "--cookie", "x"},
		"--key, --ticket and --tsa-ca ": {"http://127.0.0.1:1", "--key", r.Proof.Keys[0]},
	} {
		if code, _, errs := called(t, append([]string{"verify"}, args...)...); code == 0 || !strings.Contains(errs, says) {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}
}

// P16, from the command line.
func TestTheExitCodeOfVerifyForAServer(t *testing.T) {
	srv, err := api.New(api.Config{Data: t.TempDir(), PublicHost: "127.0.0.1", Identity: func(c *identity.Config) { c.Cost = identity.Cost{MemoryKiB: 64, Time: 1, Threads: 1} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close(t.Context()) })
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(web.Close)
	code, list, errs := called(t, "manifest")
	if strings.Contains(errs, api.ErrNotBuilt.Error()) {
		t.Fatal("the pages are not built: task build")
	}
	if code != 0 {
		t.Fatal(errs)
	}
	token, err := srv.Users().Link(t.Context(), identity.Link{Role: identity.Admin})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(web.URL+"/api/v1/signin/link", "application/json", strings.NewReader(`{"token":"`+token+`","name":"Root","password":"correct horse battery"}`))
	if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp.StatusCode)
	}
	cookie := saved(t, "cookie", []byte(resp.Cookies()[0].Name+"="+resp.Cookies()[0].Value+"\n"))
	good, bad := saved(t, "manifest.json", []byte(list)), saved(t, "manifest.json", nil)
	other := strings.Replace(list, "/viewer/worker.js", "/viewer/other.js", 1)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{2, "/audit, /console, /supervise, /words need a sign-in", nil},
		{0, "THE RELEASE", []string{"--cookie", cookie}},
		{0, "THE RELEASE", []string{"--cookie", cookie, "--manifest", good}},
		{1, "/viewer/other.js: is missing", []string{"--manifest", saved(t, "m.json", []byte(other))}},
		{1, "this is not a manifest", []string{"--manifest", bad}},
		{2, "no cookie in it", []string{"--cookie", good}},
		{1, "no certificate in", []string{"--ca", good}},
	} {
		code, out, errs := called(t, append([]string{"verify", web.URL}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, out, errs)
		}
	}
	u, _ := url.Parse(web.URL)
	for _, address := range []string{"http://", "http://user@" + u.Host, web.URL + "/console", web.URL + "?x"} {
		if code, _, errs := called(t, "verify", address); code != 2 || !strings.Contains(errs, "is not the address of a server") {
			t.Errorf("%s: %d %s", address, code, errs)
		}
	}
	web.Close()
	if code, _, _ := called(t, "verify", web.URL); code != 1 {
		t.Errorf("a server that is away: exit code %d", code)
	}
}
