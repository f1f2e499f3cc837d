//go:build !race

package threadtime

const factor = 1
