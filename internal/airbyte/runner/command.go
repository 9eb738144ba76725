package runner

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
)

// Command is how a connector is started: as a program or as a container image.
type Command struct {
	Args   []string // program and its first arguments, as they are: no shell reads them
	Image  string   // in place of Args
	Engine string   // docker or podman, for Image; "" means docker
	Env    []string // NAME=value; beside what every connector gets
	Limits Limits
}

// Limits bound a process. Where the system has no such limit it is left out: Windows knows only the times.
type Limits struct {
	MemoryBytes int64 // of private memory; 0 means 4 GiB
	FileBytes   int64 // of each file that it writes; 0 means 16 GiB
	OpenFiles   int   // 0 means 4,096
	Processes   int   // of a container; 0 means 512
	// Ask bounds spec, check and discover; 0 means 10 minutes.
	Ask time.Duration
	// Stop is how long a process that was asked to end has before it is killed; 0 means 10 seconds.
	Stop time.Duration
	// Silence is how long a source may be without a RECORD or STATE; 0 means 3 hours.
	Silence time.Duration
	// Blocked is how long a destination may keep one line waiting, and how long it has to finish; 0 means 24 hours.
	Blocked time.Duration
	// LogLines bounds the lines that are passed on as log; those beyond it are counted. 0 means 100,000.
	LogLines int64
}

func (l Limits) withDefaults() Limits {
	setTo(&l.MemoryBytes, 4<<30)
	setTo(&l.FileBytes, 16<<30)
	setTo(&l.OpenFiles, 4096)
	setTo(&l.Processes, 512)
	setTo(&l.Ask, 10*time.Minute)
	setTo(&l.Stop, 10*time.Second)
	setTo(&l.Silence, 3*time.Hour)
	setTo(&l.Blocked, 24*time.Hour)
	setTo(&l.LogLines, 100_000)
	return l
}

func setTo[N ~int | ~int64](n *N, value N) {
	if *n == 0 {
		*n = value
	}
}

// check says what is wrong with the command.
func (c Command) check() error {
	switch {
	case len(c.Args) == 0 && c.Image == "":
		return fault.Errorf(fault.Invalid, "a connector has neither a command line nor an image")
	case len(c.Args) > 0 && c.Image != "":
		return fault.Errorf(fault.Invalid, "a connector has both a command line (%q) and an image (%q)", c.Args[0], c.Image)
	case len(c.Args) > 0 && c.Args[0] == "":
		return fault.Errorf(fault.Invalid, "the command line of a connector names no program")
	case strings.HasPrefix(c.Image, "-"):
		return fault.Errorf(fault.Invalid, "the image %q looks like an option", c.Image)
	case c.Engine != "" && c.Engine != "docker" && c.Engine != "podman":
		return fault.Errorf(fault.Invalid, "the engine %q of the image %q is not known: want docker or podman", c.Engine, c.Image)
	}
	for _, variable := range c.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			// The text may be a secret: it is not repeated.
			return fault.Errorf(fault.Invalid, "a variable of the environment of %s has no name: want NAME=value", c)
		}
	}
	return nil
}

// String names the connector, for messages.
func (c Command) String() string {
	if c.Image != "" {
		return c.Image
	}
	if len(c.Args) == 0 {
		return "connector"
	}
	name := filepath.Base(c.Args[0])
	if len(c.Args) > 1 && !strings.HasPrefix(c.Args[1], "-") {
		name += " " + c.Args[1]
	}
	return name
}

func (c Command) engine() string {
	if c.Engine == "" {
		return "docker"
	}
	return c.Engine
}

// mount is where a container finds the folder with its files.
const mount = "/longshore"

// containerArgs are the arguments that start an image. Files lie in a folder of the host that nobody else can reach; the
// container sees it read-only.
func (c Command) containerArgs(name, files string, env, args []string) []string {
	l := c.Limits
	all := []string{
		"run", "--rm", "--interactive", "--name", name, "--log-driver", "none",
		"--volume", files + ":" + mount + ":ro", "--workdir", "/tmp",
		"--memory", strconv.FormatInt(l.MemoryBytes, 10), "--memory-swap", strconv.FormatInt(l.MemoryBytes, 10),
		"--pids-limit", strconv.Itoa(l.Processes), "--ulimit", "nofile=" + strconv.Itoa(l.OpenFiles),
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges",
	}
	for _, variable := range env {
		// The name alone: the value is in the engine's own environment, where no list of processes shows it.
		variable, _, _ = strings.Cut(variable, "=")
		all = append(all, "--env", variable)
	}
	return append(append(all, c.Image), args...)
}
