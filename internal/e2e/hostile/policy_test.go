package hostile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/e2e/hostile"
)

// The pages and the Worker here stand under the same policies as the product's.
func TestThePolicyIsTheProducts(t *testing.T) {
	for _, c := range []struct{ file, name, want string }{
		{"routes.go", "contentPolicy", hostile.Policy},
		{"pages.go", "workerPolicy", hostile.WorkerPolicy},
	} {
		src, err := os.ReadFile("../../../signaling/api/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?s)\nconst ` + c.name + ` = (("[^"]*"[\s+]*)+)`).FindSubmatch(src)
		if m == nil {
			t.Fatalf("%s is not where it was", c.name)
		}
		var policy strings.Builder
		for _, part := range regexp.MustCompile(`"([^"]*)"`).FindAllSubmatch(m[1], -1) {
			policy.Write(part[1])
		}
		if policy.String() != c.want {
			t.Errorf("the server's %s is\n%s\nand the one here\n%s", c.name, &policy, c.want)
		}
	}
}
