package auth

import "longshore/internal/fault"

// Role is what a caller may do. The doors decide what each of them means for a route.
type Role string

// The roles, from the most to the least.
const (
	Admin  Role = "admin"  // everything
	Editor Role = "editor" // reads, and writes entities
	Viewer Role = "viewer" // reads
	Ingest Role = "ingest" // writes entities by upsert, and reads nothing
)

// Roles lists them all.
func Roles() []Role { return []Role{Admin, Editor, Viewer, Ingest} }

// ParseRole reads a role's name. Errors: fault.Invalid.
func ParseRole(name string) (Role, error) {
	for _, r := range Roles() {
		if string(r) == name {
			return r, nil
		}
	}
	if name == "" {
		return "", fault.Errorf(fault.Invalid, "a role is required").WithCode("invalid_request", nil).WithHint("want admin, editor, viewer or ingest")
	}
	return "", fault.Errorf(fault.Invalid, "%q is no role", name).WithCode("invalid_request", nil).WithHint("want admin, editor, viewer or ingest")
}
