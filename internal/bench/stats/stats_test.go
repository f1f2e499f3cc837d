package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/internal/bench/stats"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestQuartilesOf(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   stats.Quartiles
	}{
		"none":         {nil, stats.Quartiles{Q1: nan, Median: nan, Q3: nan}},
		"one":          {[]float64{7}, stats.Quartiles{Q1: 7, Median: 7, Q3: 7}},
		"even":         {[]float64{4, 1, 3, 2}, stats.Quartiles{Q1: 1.75, Median: 2.5, Q3: 3.25}},
		"odd":          {[]float64{5, 1, 4, 2, 3}, stats.Quartiles{Q1: 2, Median: 3, Q3: 4}},
		"not finite":   {[]float64{nan, 2, inf, 2}, stats.Quartiles{Q1: 2, Median: 2, Q3: 2}},
		"nothing left": {[]float64{nan, inf}, stats.Quartiles{Q1: nan, Median: nan, Q3: nan}},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(c.values)
			if got := stats.QuartilesOf(c.values); !same(got, c.want) {
				t.Errorf("QuartilesOf(%v) = %v, want %v", before, got, c.want)
			}
			if slices.CompareFunc(before, c.values, compare) != 0 {
				t.Errorf("the values given became %v", c.values)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 101)
	for i := range hundred {
		hundred[i] = float64(i)
	}
	for _, c := range []struct{ q, want float64 }{{0, 0}, {0.5, 50}, {0.99, 99}, {0.995, 99.5}, {1, 100}} {
		if got := stats.Quantile(hundred, c.q); got != c.want {
			t.Errorf("Quantile(0..100, %v) = %v, want %v", c.q, got, c.want)
		}
	}
}

func TestPairedRatios(t *testing.T) {
	for name, c := range map[string]struct {
		values, floor []float64
		want          stats.Quartiles
	}{
		// Every round is twice its floor, though the machine slowed down tenfold: the pairing must not see that.
		"slow rounds":     {[]float64{2, 20, 2}, []float64{1, 10, 1}, stats.Quartiles{Q1: 2, Median: 2, Q3: 2}},
		"spread":          {[]float64{1, 2, 3, 4, 5}, []float64{1, 1, 1, 1, 1}, stats.Quartiles{Q1: 2, Median: 3, Q3: 4}},
		"missing round":   {[]float64{3, 3, 9}, []float64{1, 1}, stats.Quartiles{Q1: 3, Median: 3, Q3: 3}},
		"floor of 0":      {[]float64{3, 1}, []float64{1, 0}, stats.Quartiles{Q1: 3, Median: 3, Q3: 3}},
		"no floor at all": {[]float64{3, 1}, nil, stats.Quartiles{Q1: nan, Median: nan, Q3: nan}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stats.PairedRatios(c.values, c.floor); !same(got, c.want) {
				t.Errorf("PairedRatios(%v, %v) = %v, want %v", c.values, c.floor, got, c.want)
			}
		})
	}
}

func same(a, b stats.Quartiles) bool {
	return compare(a.Q1, b.Q1) == 0 && compare(a.Median, b.Median) == 0 && compare(a.Q3, b.Q3) == 0
}

// compare takes two NaNs for equal.
func compare(a, b float64) int {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return 0
	}
	return 1
}
