//go:build !unix

package pgserver

import (
	"errors"
	"syscall"
)

func unprivileged(string) (*syscall.SysProcAttr, error) {
	return nil, errors.New("set LONGSHORE_TEST_POSTGRES: a server of the tests' own is started on Unix alone")
}

func passable(string) bool { return true }
