package identity

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodProviders = `{"providers": [{"name": "hospital", "label": "Example Hospital", "issuer": "https://id.example.org", "client_id": "mainforte",
 "client_secret": {"file": "secret"}, "groups": [{"group": "desk", "role": "technician", "teams": ["First line"]}]}]}`

func TestTheFileOfProviders(t *testing.T) {
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "providers.json"), filepath.Join(dir, "secret")
	write := func(text string, mode os.FileMode, key string) {
		t.Helper()
		_ = os.Remove(secret)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.WriteFile(secret, []byte(key), mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(goodProviders, 0o600, "hush-hush\n")
	list, err := ReadProviders(path)
	if err != nil || len(list) != 1 || list[0].ClientSecret != "hush-hush" || list[0].GroupsClaim != "groups" || list[0].Groups[0].Role != Technician {
		t.Fatalf("%+v, %v", list, err)
	}
	for name, c := range map[string]struct {
		old, new, want string
		mode           os.FileMode
		secret         string
	}{
		"an unknown field":           {`"name"`, `"nome"`, "unknown field", 0o600, "x"},
		"a name":                     {`"hospital"`, `"The Hospital"`, "1 to 32 of a-z", 0o600, "x"},
		"no label":                   {`Example Hospital`, ` `, "label", 0o600, "x"},
		"plain http":                 {`https:`, `http:`, "must be https", 0o600, "x"},
		"no address":                 {`https://id.example.org`, `id.example.org`, "issuer is an address", 0o600, "x"},
		"a role":                     {`"technician"`, `"owner"`, "role of", 0o600, "x"},
		"no groups":                  {`"groups": [{"group": "desk", "role": "technician", "teams": ["First line"]}]`, `"groups": []`, "nobody would come in", 0o600, "x"},
		"a secret in the file":       {`{"file": "secret"}`, `"hush-hush"`, "not as it should be", 0o600, "x"},
		"a secret for everybody":     {``, ``, "chmod 600", 0o644, "hush-hush"},
		"an empty secret":            {``, ``, "holds none", 0o600, "\n"},
		"no such file":               {`"secret"`, `"missing"`, "client_secret", 0o600, "x"},
		"a certificate that is none": {`"client_id"`, `"ca": {"file": "secret"}, "client_id"`, "no certificate", 0o600, "hush-hush"},
		"something behind it":        {`]}]}]}`, `]}]}]} {}`, "follows its end", 0o600, "x"},
	} {
		write(strings.Replace(goodProviders, c.old, c.new, 1), c.mode, c.secret)
		_, err := ReadProviders(path)
		if !errors.Is(err, ErrProviders) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzProviders(f *testing.F) {
	f.Add([]byte(goodProviders))
	f.Add([]byte(`{"providers": [{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseProviders(b, func(string, int64) ([]byte, bool, error) { return []byte("x"), false, nil })
		if err != nil {
			return
		}
		for _, p := range list {
			if p.Name == "" || p.Label == "" || p.ClientSecret == "" || len(p.Groups) == 0 {
				t.Errorf("taken: %+v", p)
			}
		}
	})
}
