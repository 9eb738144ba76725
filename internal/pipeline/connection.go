package pipeline

import (
	"slices"
	"strings"
	"time"
)

// Connection ties a source to a destination: which streams, under which namespace, how often.
type Connection struct {
	ID            int64  `json:"-"` // of the row
	UUID          string `json:"-"` // what others know it by
	Name          string `json:"-"` // for people; two may have the same
	WorkspaceID   string `json:"-"`
	SourceID      string `json:"-"` // of the configured source; "" is the one of the settings
	DestinationID string `json:"-"` // of the configured destination; "" is the bucket of the settings
	Source        string `json:"source"`
	// NamespaceDefinition says where a stream's namespace comes from: FromSource, FromDestination or CustomFormat; ""
	// means CustomFormat. NamespaceFormat may hold ${SOURCE_NAMESPACE}.
	NamespaceDefinition string           `json:"namespaceDefinition,omitempty"`
	NamespaceFormat     string           `json:"namespaceFormat,omitempty"`
	Prefix              string           `json:"prefix,omitempty"`  // goes before the names of streams at the destination
	Streams             []StreamChoice   `json:"streams,omitempty"` // empty means all of the source but the optional ones, each as the source reads it by default
	Schedule            Schedule         `json:"schedule"`
	Status              ConnectionStatus `json:"-"` // "" means Active
	CreatedAt           time.Time        `json:"-"`
}

// ConnectionStatus is whether a connection works.
type ConnectionStatus string

// The statuses of a connection. One that is inactive is not run by its schedule; one that is deprecated is deleted, and
// kept for its history.
const (
	Active     ConnectionStatus = "active"
	Inactive   ConnectionStatus = "inactive"
	Deprecated ConnectionStatus = "deprecated"
)

// Where the namespace of a stream comes from, in Airbyte's words.
const (
	FromSource      = "source"
	FromDestination = "destination"
	CustomFormat    = "custom_format"
)

// Sync modes, in Airbyte's words.
const (
	FullRefreshOverwrite = "full_refresh_overwrite"
	FullRefreshAppend    = "full_refresh_append"
	IncrementalAppend    = "incremental_append"
)

// StreamChoice is a chosen stream and how it is moved.
type StreamChoice struct {
	Name           string     `json:"name"`
	Namespace      string     `json:"namespace,omitempty"` // at the source
	SyncMode       string     `json:"syncMode,omitempty"`  // "" means as the source does by default
	CursorField    []string   `json:"cursorField,omitempty"`
	PrimaryKey     [][]string `json:"primaryKey,omitempty"`
	SelectedFields [][]string `json:"selectedFields,omitempty"` // paths; empty means all
}

// Namespace is the namespace at the destination of the streams that have none at the source; "" is none.
func (c Connection) Namespace() string { return c.NamespaceOf("") }

// NamespaceOf is the namespace at the destination of a stream with the given one at the source. What is blank is none.
func (c Connection) NamespaceOf(source string) string {
	switch c.NamespaceDefinition {
	case FromSource:
		return source
	case FromDestination:
		return ""
	}
	namespace := strings.ReplaceAll(c.NamespaceFormat, "${SOURCE_NAMESPACE}", source)
	if strings.TrimSpace(namespace) == "" {
		return ""
	}
	return namespace
}

// Identity tells the connection from every other: its UUID, or its name before it has one.
func (c Connection) Identity() string {
	if c.UUID != "" {
		return c.UUID
	}
	return c.Name
}

// StreamNames are the names of the chosen streams; none means all but the optional ones.
func (c Connection) StreamNames() []string {
	var names []string
	for _, s := range c.Streams {
		names = append(names, s.Name)
	}
	return names
}

// Choice is what was chosen for a stream; the zero one when nothing was.
func (c Connection) Choice(stream string) StreamChoice {
	i := slices.IndexFunc(c.Streams, func(s StreamChoice) bool { return s.Name == stream })
	if i < 0 {
		return StreamChoice{Name: stream}
	}
	return c.Streams[i]
}

// Mode is how the connection reads a stream. A full refresh begins a new generation, and what is not in it is gone from
// the source. An incremental read adds to the generation what changed since the read before, and proves no absence: an
// object deleted, a membership or an assignment taken away stays until the next full refresh or until the feed tells.
// A stream that can only be read in full is, whatever was chosen.
func (c Connection) Mode(st Stream) string {
	switch mode := c.Choice(st.Name).SyncMode; {
	case strings.HasPrefix(mode, FullRefresh):
		return FullRefresh
	case strings.HasPrefix(mode, Incremental) && st.CursorField != "", mode == "" && st.Incremental:
		return Incremental
	}
	return FullRefresh
}

// Overwrites tells that a complete read of the stream takes the place of what its older generations left at the destination.
func (c Connection) Overwrites(st Stream) bool {
	return c.Choice(st.Name).SyncMode == FullRefreshOverwrite
}
