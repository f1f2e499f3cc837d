package main

import (
	"fmt"
	"path"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// violations returns what keeps the modules from being published at a version, a sentence each.
func (t *tree) violations(version string) []string {
	var bad []string
	if semver.Canonical(version) != version || semver.Compare(version, "v0.0.0") <= 0 || module.IsPseudoVersion(version) {
		bad = append(bad, fmt.Sprintf("%s is not a version that can be released", version))
	}
	for _, folder := range published() {
		if t.find(folder) == nil {
			bad = append(bad, fmt.Sprintf("%s: there is no module", folder))
		}
	}
	for _, m := range t.modules {
		bad = append(bad, m.violations(version)...)
		if slices.Contains(published(), m.folder) {
			bad = append(bad, m.publishedViolations()...)
		}
	}
	return append(bad, t.workViolations(version)...)
}

// violations is about what holds for every module.
func (m *mod) violations(version string) []string {
	var bad []string
	add := func(format string, args ...any) {
		bad = append(bad, fmt.Sprintf("%s/go.mod: ", m.folder)+fmt.Sprintf(format, args...))
	}
	if m.file.Module == nil || m.file.Module.Mod.Path != pathOf(m.folder) {
		add("the module is not called %s", pathOf(m.folder))
	}
	for _, r := range m.file.Require {
		folder, own := folderOf(r.Mod.Path)
		switch {
		case !own:
		case !slices.Contains(published(), folder):
			add("it requires %s, which is not published", r.Mod.Path)
		case r.Mod.Version != version:
			add("it requires %s at %s, and not at %s", r.Mod.Path, r.Mod.Version, version)
		}
	}
	for _, r := range m.file.Replace {
		if _, own := folderOf(r.Old.Path); own {
			add("it replaces %s, which is for go.work to do", r.Old.Path)
		}
	}
	return bad
}

// publishedViolations is about what a stranger's go command refuses, or passes over.
func (m *mod) publishedViolations() []string {
	var bad []string
	add := func(format string, args ...any) {
		bad = append(bad, fmt.Sprintf("%s/go.mod: ", m.folder)+fmt.Sprintf(format, args...))
	}
	for _, r := range m.file.Replace {
		add("it replaces %s: go install refuses that, and go get passes it over", r.Old.Path)
	}
	for _, e := range m.file.Exclude {
		add("it excludes %s: go install refuses that, and go get passes it over", e.Mod.Path)
	}
	if m.file.Go == nil || m.file.Go.Version != goLine(m.folder) {
		add("it doesn't ask for go %s: to ask for more is to ask it of everybody who requires it", goLine(m.folder))
	}
	if m.file.Toolchain != nil {
		add("it names a toolchain, which has nothing to do with what its users need")
	}
	for _, r := range m.file.Require {
		folder, own := folderOf(r.Mod.Path)
		if own && slices.Index(published(), folder) >= slices.Index(published(), m.folder) {
			add("it requires %s, which is not tagged before it", r.Mod.Path)
		}
	}
	return bad
}

// workViolations is about the workspace: it has every module that requires another one of here, and finds here what isn't
// published yet. A module that requires none may have to be by itself, with dependencies of another time.
func (t *tree) workViolations(version string) []string {
	var bad []string
	for _, m := range t.modules {
		ours := func(r *modfile.Require) bool { _, own := folderOf(r.Mod.Path); return own }
		alone := m.folder != "." && !slices.ContainsFunc(m.file.Require, ours)
		if !alone && !slices.ContainsFunc(t.work.Use, func(u *modfile.Use) bool { return path.Clean(u.Path) == m.folder }) {
			bad = append(bad, fmt.Sprintf("go.work: it doesn't use ./%s", m.folder))
		}
	}
	for _, folder := range published() {
		old := module.Version{Path: pathOf(folder), Version: version}
		required := slices.ContainsFunc(t.modules, func(m *mod) bool {
			return slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == old.Path })
		})
		replaced := slices.ContainsFunc(t.work.Replace, func(r *modfile.Replace) bool {
			return r.Old == old && path.Clean(r.New.Path) == folder
		})
		if required && !replaced {
			bad = append(bad, fmt.Sprintf("go.work: it doesn't replace %s, which is required and may not be published, by ./%s", old, folder))
		}
	}
	return bad
}
