// Package connector is the Okta Source as an Airbyte connector: the settings that Airbyte's own source-okta (0.3.21)
// has, and ours beside them; the catalog with its schemas; and whose state is taken over how.
//
//	c := connector.New(connector.Options{Version: version})
//	ok, err := c.Run(ctx, "read", files, false, os.Stdout)
//
// Names of streams, sync modes, cursors and primary keys are those of Airbyte's source, with two differences that keep
// records apart: permissions have roleId in their key, since a label stands in many roles, and user_role_assignments
// have assignmentType and the assignee's link in theirs, since Okta repeats the ids of assignments.
package connector
