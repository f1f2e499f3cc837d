//go:build race

package threadtime

const factor = 5
