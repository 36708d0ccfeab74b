package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
)

// ProviderSetup is what the admin says of a sign-in provider: the file of
// [ReadProviders].
type ProviderSetup struct {
	// Name stands in addresses and in the log: it never changes. 1 to 32 of a-z, 0-9
	// and "-".
	Name  string
	Label string // as people read it, also those who are helped
	// Issuer is the provider's own address, https but on this machine.
	Issuer                 string
	ClientID, ClientSecret string
	Scopes                 []string // beyond openid and profile
	GroupsClaim            string   // "groups" if empty
	NameClaim              string   // "name" if empty
	// Groups give roles and teams. The first line that fits gives the role.
	Groups []ProvidedGroup
	Roots  *x509.CertPool // that may vouch for the provider; nil: the system's
}

// ProvidedGroup is what the members of a provider's group are here.
type ProvidedGroup struct {
	Group string
	Role  Role
	Teams []string // by name; made if they are not there
}

// Bounds of the file.
const (
	maxProviders     = 8
	maxProvidersFile = 256 << 10
	maxSecretFile    = 16 << 10
)

var providerName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// ErrProviders: the file of providers is not right; more words are wrapped around it.
var ErrProviders = errors.New("the sign-in providers cannot be used")

// ReadProviders reads a file of sign-in providers:
//
//	{"providers": [{"name": "hospital", "label": "Example Hospital",
//	                "issuer": "https://id.example.org", "client_id": "mainforte",
//	                "client_secret": {"file": "hospital.secret"},
//	                "groups": [{"group": "helpdesk", "role": "technician", "teams": ["First line"]}]}]}
//
// The secret is the path of a file that holds nothing else, from the folder of this
// one; it may not be readable by everybody. What it does not know is refused. No
// provider is called. The error names file and field, and shows no secret.
func ReadProviders(path string) ([]ProviderSetup, error) {
	list, err := readProviders(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the file %s: %w", ErrProviders, path, err)
	}
	return list, nil
}

func readProviders(path string) ([]ProviderSetup, error) {
	b, _, err := readBounded(path, maxProvidersFile)
	if err != nil {
		return nil, err
	}
	list, err := parseProviders(b, func(name string, limit int64) ([]byte, bool, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return readBounded(name, limit)
	})
	return list, err
}

// readBounded reads a regular file; open tells that everybody may read it.
func readBounded(path string, limit int64) (b []byte, open bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, false, fmt.Errorf("it is no file of at most %d bytes", limit)
	}
	b, err = io.ReadAll(io.LimitReader(f, limit))
	return b, runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0, err
}

func parseProviders(b []byte, file func(name string, limit int64) ([]byte, bool, error)) ([]ProviderSetup, error) {
	type ref struct {
		File string `json:"file"`
	}
	var in struct {
		Providers []struct {
			Name         string   `json:"name"`
			Label        string   `json:"label"`
			Issuer       string   `json:"issuer"`
			ClientID     string   `json:"client_id"`
			ClientSecret ref      `json:"client_secret"`
			Scopes       []string `json:"scopes"`
			GroupsClaim  string   `json:"groups_claim"`
			NameClaim    string   `json:"name_claim"`
			Roots        *ref     `json:"ca"`
			Groups       []struct {
				Group string   `json:"group"`
				Role  string   `json:"role"`
				Teams []string `json:"teams"`
			} `json:"groups"`
		} `json:"providers"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("it is not as it should be: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows its end")
	}
	if len(in.Providers) > maxProviders {
		return nil, fmt.Errorf("there are more than %d providers", maxProviders)
	}
	var list []ProviderSetup
	for _, p := range in.Providers {
		s := ProviderSetup{
			Name: p.Name, Label: wire.Clean(p.Label), Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes,
			GroupsClaim: p.GroupsClaim, NameClaim: p.NameClaim,
		}
		if !providerName.MatchString(s.Name) {
			return nil, fmt.Errorf("a provider's name is 1 to 32 of a-z, 0-9 and -, not %.40q", s.Name)
		}
		if slices.ContainsFunc(list, func(o ProviderSetup) bool {
			return o.Name == s.Name || o.Issuer == s.Issuer && o.ClientID == s.ClientID
		}) {
			return nil, fmt.Errorf("provider %s is there twice", s.Name)
		}
		for _, g := range p.Groups {
			s.Groups = append(s.Groups, ProvidedGroup{g.Group, Role(g.Role), g.Teams})
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("provider %s: %w", s.Name, err)
		}
		secret, open, err := file(p.ClientSecret.File, maxSecretFile)
		s.ClientSecret = strings.TrimSpace(string(secret))
		switch {
		case err != nil:
			return nil, fmt.Errorf("provider %s: client_secret: %w", s.Name, err)
		case open:
			return nil, fmt.Errorf("provider %s: everybody may read the file of its secret: chmod 600 it", s.Name)
		case s.ClientSecret == "" || !utf8.ValidString(s.ClientSecret):
			return nil, fmt.Errorf("provider %s: the file of its secret holds none", s.Name)
		}
		if p.Roots != nil {
			pem, _, err := file(p.Roots.File, maxProvidersFile)
			if err != nil {
				return nil, fmt.Errorf("provider %s: ca: %w", s.Name, err)
			}
			if s.Roots = x509.NewCertPool(); !s.Roots.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("provider %s: ca: there is no certificate in the file", s.Name)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// check fills in what is empty, and names the field that is not right.
func (s *ProviderSetup) check() error {
	if s.GroupsClaim == "" {
		s.GroupsClaim = "groups"
	}
	if s.NameClaim == "" {
		s.NameClaim = "name"
	}
	u, err := url.Parse(s.Issuer)
	switch {
	case s.Label == "" || utf8.RuneCountInString(s.Label) > maxName:
		return fmt.Errorf("label is 1 to %d characters that people read", maxName)
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("issuer is an address like https://id.example.org, not %.80q", s.Issuer)
	case u.Scheme != "https" && !(u.Scheme == "http" && thisMachine(u.Hostname())):
		return errors.New("issuer must be https: its answers decide who comes in")
	case s.ClientID == "":
		return errors.New("client_id is missing")
	case len(s.Groups) == 0:
		return errors.New("groups is missing: nobody would come in")
	}
	for _, g := range s.Groups {
		if g.Group == "" {
			return errors.New("groups: one has no name")
		}
		if _, ok := ParseRole(string(g.Role)); !ok {
			return fmt.Errorf("groups: the role of %.40q is technician, supervisor, auditor or admin, not %.40q", g.Group, g.Role)
		}
		for _, t := range g.Teams {
			if err := checkTeam(&Team{Name: t, Tier: MinTier}); err != nil {
				return fmt.Errorf("groups: %.80q is no name of a team", t)
			}
		}
	}
	return nil
}

func thisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
