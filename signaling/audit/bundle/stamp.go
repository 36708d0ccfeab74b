package bundle

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// stampFile is a timestamp on the checkpoint, RFC 3161, if one was asked for: proof
// that the log stood so no later than then, by an authority that is not us.
const stampFile = "checkpoint.tsr"

// Stamper has a checkpoint stamped and returns the response in DER.
type Stamper func(ctx context.Context, checkpoint []byte) ([]byte, error)

// Authority asks a timestamp authority at an http or https URL. Only the hash of
// the checkpoint is sent; what comes back is checked against it.
func Authority(client *http.Client, url string) Stamper {
	return func(ctx context.Context, checkpoint []byte) ([]byte, error) {
		nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		ask, err := timestamp.CreateRequest(bytes.NewReader(checkpoint), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true, Nonce: nonce})
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(ask))
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		req.Header.Set("Content-Type", "application/timestamp-query")
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("bundle: the timestamp authority: %w", err)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxStamp+1))
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return nil, fmt.Errorf("bundle: the timestamp authority: %w", err)
		}
		if resp.StatusCode != http.StatusOK || len(b) > maxStamp {
			return nil, fmt.Errorf("bundle: the timestamp authority answered %s and %d bytes", resp.Status, len(b))
		}
		s, err := readStamp(b, checkpoint)
		if err != nil {
			return nil, fmt.Errorf("bundle: the timestamp authority: its answer %w", err)
		}
		if s.nonce == nil || s.nonce.Cmp(nonce) != 0 {
			return nil, errors.New("bundle: the timestamp authority answered another question")
		}
		return b, nil
	}
}

// maxStamp bounds an answer.
const maxStamp = 64 << 10

// stamp is what a response says.
type stamp struct {
	at    time.Time
	by    string // subject of the certificate that signed
	nonce *big.Int
	token *pkcs7.PKCS7
}

// readStamp checks that a response is signed and stamps this text. Whether its
// signer is a timestamp authority only prove tells.
func readStamp(der, text []byte) (s stamp, err error) {
	defer func() {
		// These libraries read ASN.1 of strangers; a fault of theirs is a bad stamp.
		if p := recover(); p != nil {
			s, err = stamp{}, fmt.Errorf("cannot be read: %v", p)
		}
	}()
	t, err := timestamp.ParseResponse(der)
	if err != nil {
		return stamp{}, fmt.Errorf("is not a good timestamp: %w", err)
	}
	sum := sha256.Sum256(text)
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, sum[:]) {
		return stamp{}, errors.New("stamps something else")
	}
	token, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return stamp{}, fmt.Errorf("is not a good timestamp: %w", err)
	}
	// Parse has checked the signature only if there was a certificate.
	signer := token.GetOnlySigner()
	if signer == nil {
		return stamp{}, errors.New("does not say who signed it")
	}
	return stamp{at: t.Time, by: signer.Subject.String(), nonce: t.Nonce, token: token}, nil
}

// prove checks that the signer was a timestamp authority that these vouch for.
func (s stamp) prove(roots *x509.CertPool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot be read: %v", p)
		}
	}()
	others := x509.NewCertPool()
	for _, c := range s.token.Certificates {
		others.AddCert(c)
	}
	return s.token.VerifyWithOpts(x509.VerifyOptions{
		Roots: roots, Intermediates: others, CurrentTime: s.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
}
