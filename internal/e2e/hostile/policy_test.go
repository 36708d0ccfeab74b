package hostile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/e2e/hostile"
)

// The pages here stand under the same policy as the product's.
func TestThePolicyIsTheProducts(t *testing.T) {
	src, err := os.ReadFile("../../../signaling/api/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)\nconst policy = (("[^"]*"[\s+]*)+)`).FindSubmatch(src)
	if m == nil {
		t.Fatal("the server's policy is not where it was")
	}
	var policy strings.Builder
	for _, part := range regexp.MustCompile(`"([^"]*)"`).FindAllSubmatch(m[1], -1) {
		policy.Write(part[1])
	}
	if policy.String() != hostile.Policy {
		t.Errorf("the server's policy is\n%s\nand the one here\n%s", &policy, hostile.Policy)
	}
}
