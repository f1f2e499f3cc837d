package mango_test

import "testing"

// TestExplainSelectors parses what explanations say of selectors: it must be the same query.
func TestExplainSelectors(t *testing.T) {
	for _, v := range vectors[selectorVector](t, "selectors.json", 150) {
		first := planOf(t, parse(t, `{"selector": `+string(v.Selector)+`}`)).Explain()
		q := parse(t, `{"selector": `+show(t, first.Selector)+`}`)
		for _, doc := range v.Match {
			if !q.Match(document(t, "key", string(doc))) {
				t.Errorf("%s is explained as %s, which doesn't match %s", v.Selector, show(t, first.Selector), doc)
			}
		}
		for _, doc := range v.Miss {
			if q.Match(document(t, "key", string(doc))) {
				t.Errorf("%s is explained as %s, which matches %s", v.Selector, show(t, first.Selector), doc)
			}
		}
	}
}
