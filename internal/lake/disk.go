package lake

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"longshore/internal/fault"
)

// diskFault gives a failed disk operation its kind.
func diskFault(doing string, err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fault.Errorf(fault.Unavailable, "%s: %w", doing, err).WithHint("free some space on the disk, then run again")
	case errors.Is(err, fs.ErrPermission):
		return fault.Errorf(fault.Denied, "%s: %w", doing, err).WithHint("give the process the right to write there")
	}
	return fault.Errorf(fault.Internal, "%s: %w", doing, err)
}

// SyncDir makes the names in a folder durable. Windows cannot, and keeps them in order by itself.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// MakeDirs makes the folder and those above it that are missing, durably. root, which must exist, is where to stop.
func MakeDirs(root, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir == root || dir == filepath.Dir(dir) {
		return os.Mkdir(dir, 0o755)
	}
	parent := filepath.Dir(dir)
	if err := MakeDirs(root, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// notDirectory reports that a part of a path that should be a folder is a file.
func notDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
