package harness_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/bench/harness"
)

func TestMain(m *testing.M) {
	if !harness.IsChild(os.Args[1:]) {
		goleak.VerifyTestMain(m)
		return
	}
	if err := harness.RunChild(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestRun takes every measurement twice, in windows far too short to say anything of speed.
func TestRun(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0") // for the children, which otherwise take a second to end
	var progress, table bytes.Buffer
	cfg := harness.Config{Rounds: 2, Window: 2 * time.Millisecond, Spin: true, Progress: &progress}
	report, err := harness.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, round := range report.Rounds {
		if len(round) != len(report.Rows) {
			t.Errorf("round %d has %d measurements, want all %d", i+1, len(round), len(report.Rows))
		}
	}
	if report.Rounds[0][0].Measurement == report.Rounds[1][0].Measurement {
		t.Errorf("both rounds begin with %v, want another order", report.Rounds[0][0].Measurement)
	}
	for _, row := range report.Rows {
		checkRow(t, row)
	}
	if err := report.WriteTable(&table); err != nil {
		t.Error(err)
	}
	if lines := strings.Count(table.String(), "\n"); lines < len(report.Rows)+len(report.Targets) {
		t.Errorf("the table has %d lines for %d rows and %d targets:\n%s", lines, len(report.Rows), len(report.Targets), &table)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
	if got := strings.Count(progress.String(), "round "); got != cfg.Rounds {
		t.Errorf("progress names %d rounds, want %d:\n%s", got, cfg.Rounds, &progress)
	}
}

func checkRow(t *testing.T, row harness.Row) {
	t.Helper()
	if row.PerSecond.Median <= 0 || row.Median.P99 <= 0 || row.Median.PeerAllocs <= 0 {
		t.Errorf("%+v: figures %+v, want all above 0", row.Measurement, row.Median)
	}
	if row.Setup == "floor" && (row.TimeRatio.Median != 1 || row.CPURatio.Median != 1) {
		t.Errorf("%+v: the floor is %v and %v times itself", row.Measurement, row.TimeRatio, row.CPURatio)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		cfg  harness.Config
		want string
	}{
		"no rounds": {t.Context(), harness.Config{Window: time.Second}, "at least one round"},
		"no window": {t.Context(), harness.Config{Rounds: 1}, "a window above 0"},
		"ended":     {ended, harness.Config{Rounds: 1, Window: time.Second}, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := harness.Run(c.ctx, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestRunChildRefusesUnknownRole(t *testing.T) {
	if err := harness.RunChild([]string{"child", "dancer"}, strings.NewReader(""), &bytes.Buffer{}); err == nil {
		t.Error("the role was taken")
	}
}
