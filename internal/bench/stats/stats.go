// Package stats holds the few statistics that the benchmark reports.
package stats

import (
	"math"
	"slices"
)

// Quartiles are a sample's median and the quartiles around it.
type Quartiles struct {
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
}

// QuartilesOf returns the quartiles of values, which it leaves as they are. Values that are not finite are left out;
// if no value remains, all three quartiles are NaN.
func QuartilesOf(values []float64) Quartiles {
	finite := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	slices.Sort(finite)
	return Quartiles{Q1: Quantile(finite, 0.25), Median: Quantile(finite, 0.5), Q3: Quantile(finite, 0.75)}
}

// Quantile returns the value below which a share q, from 0 to 1, of sorted lies, interpolated between neighbours.
// Without values it is NaN.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// PairedRatios returns the quartiles of values[i]/floor[i], where both were measured in round i. The ratio of two
// medians would compare different rounds; what disturbs a whole round cancels out of this one. A round that has only
// one of the two, or a floor of 0, is left out.
func PairedRatios(values, floor []float64) Quartiles {
	n := min(len(values), len(floor))
	ratios := make([]float64, n)
	for i := range n {
		ratios[i] = values[i] / floor[i]
	}
	return QuartilesOf(ratios)
}
