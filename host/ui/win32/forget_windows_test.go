package win32

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/sys/windows/registry"
)

func TestWhatADialogWritesDownIsTakenBack(t *testing.T) {
	const key = `Software\MainforteTest`
	made := func(path string) registry.Key {
		t.Helper()
		k, _, err := registry.CreateKey(registry.CURRENT_USER, key+path, registry.ALL_ACCESS)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			k.Close()
			_ = registry.DeleteKey(registry.CURRENT_USER, key+path)
		})
		return k
	}
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	root, list := made(""), made(`\List`)
	must(root.SetDWordValue("size", 7), list.SetStringValue("MRUList", "ba"), list.SetBinaryValue("a", []byte("other.exe")), list.SetBinaryValue("b", nil))
	before := make(branch)
	before.read(key, branchDepth)

	unremembered(key, func() {
		must(root.SetDWordValue("size", 8), list.SetStringValue("MRUList", "acb"), list.SetBinaryValue("a", []byte("mainforte.exe")),
			list.SetBinaryValue("c", []byte("mainforte.exe")), list.DeleteValue("b"))
		k, _, err := registry.CreateKey(registry.CURRENT_USER, key+`\Fresh\txt`, registry.ALL_ACCESS)
		must(err, k.SetStringValue("x", "y"), k.Close())
		during := make(branch)
		during.read(key, branchDepth)
		if reflect.DeepEqual(before, during) || len(during) != 4 {
			t.Errorf("it reads %v", slices.Sorted(maps.Keys(during)))
		}
	})
	after := make(branch)
	if after.read(key, branchDepth); !reflect.DeepEqual(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}
