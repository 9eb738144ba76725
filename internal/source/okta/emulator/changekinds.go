package emulator

// The kinds of events that changes emit beside those of the timeline.
var (
	activateUser   = &eventKind{"user.lifecycle.activate", "Activate Okta user", "core.user.config.user_activated", "INFO", "/api/v1/users/lifecycle/activate"}
	reactivateUser = &eventKind{"user.lifecycle.reactivate", "Reactivate Okta user", "core.user.config.user_reactivated", "INFO", "/api/v1/users/lifecycle/reactivate"}
	unsuspendUser  = &eventKind{"user.lifecycle.unsuspend", "Unsuspend Okta user", "core.user.config.user_status.unsuspend", "INFO", "/api/v1/users/lifecycle/unsuspend"}
	unlockUser     = &eventKind{"user.account.unlock_by_admin", "Unlock user account for Okta", "core.user_auth.account_unlocked_by_admin", "INFO", "/api/v1/users/lifecycle/unlock"}
	expirePassword = &eventKind{"user.account.expire_password", "Expire all user passwords", "", "INFO", "/api/v1/users/lifecycle/expire_password"}
	updatePassword = &eventKind{"user.account.update_password", "User update password for Okta", "core.user.config.password_update.success", "INFO", "/idp/idx/challenge/answer"}
	deleteBegun    = &eventKind{"user.lifecycle.delete.initiated", "Delete Okta user initiated", "core.user.config.user_deleted.initiated", "INFO", "/api/v1/users"}
	deleteDone     = &eventKind{"user.lifecycle.delete.completed", "Delete Okta user completed", "", "INFO", "/api/v1/users"}
	userRevoke     = &eventKind{"user.account.privilege.revoke", "Revoke all user privileges", "core.user.admin_privilege.revoked", "INFO", "/api/internal/administrators"}
	groupRevoke    = &eventKind{"group.privilege.revoke", "Revoke group privilege", "core.group.admin_privilege.revoked", "INFO", "/api/internal/administrators/groups"}
	clientGrant    = &eventKind{"app.oauth2.client.privilege.grant", "Grant privileges to OAuth 2.0 client", "", "INFO", "/oauth2/v1/clients"}
	clientRevoke   = &eventKind{"app.oauth2.client.privilege.revoke", "Revoke privileges from OAuth 2.0 client", "", "INFO", "/oauth2/v1/clients"}
	createGroup    = &eventKind{"group.lifecycle.create", "Create Okta group", "core.user_group.config.create", "INFO", "/api/v1/groups"}
	deleteGroup    = &eventKind{"group.lifecycle.delete", "Delete Okta group", "core.user_group.config.delete", "INFO", "/api/v1/groups"}
	updateGroup    = &eventKind{"group.profile.update", "Update Okta group", "core.user_group.config.update", "INFO", "/api/v1/groups"}
	roleCreate     = &eventKind{"iam.role.create", "Create custom admin role", "", "INFO", "/api/v1/iam/roles"}
	roleUpdate     = &eventKind{"iam.role.update", "Update custom admin role", "", "INFO", "/api/v1/iam/roles"}
	roleDelete     = &eventKind{"iam.role.delete", "Delete custom admin role", "", "INFO", "/api/v1/iam/roles"}
	permissionsAdd = &eventKind{"iam.role.permissions.add", "Add permission to custom admin role", "", "INFO", "/api/v1/iam/roles"}
	permissionsCut = &eventKind{"iam.role.permissions.delete", "Delete permission from custom admin role", "", "INFO", "/api/v1/iam/roles"}
	setCreate      = &eventKind{"iam.resourceset.create", "Create resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	setUpdate      = &eventKind{"iam.resourceset.update", "Update resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	setDelete      = &eventKind{"iam.resourceset.delete", "Delete resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	resourcesAdd   = &eventKind{"iam.resourceset.resources.add", "Add resources to resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	resourcesCut   = &eventKind{"iam.resourceset.resources.delete", "Delete resources from resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	bindingsAdd    = &eventKind{"iam.resourceset.bindings.add", "Add bindings to resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	bindingsDelete = &eventKind{"iam.resourceset.bindings.delete", "Delete bindings from resource set", "", "INFO", "/api/v1/iam/resource-sets"}
	hookFailed     = &eventKind{"event_hook.delivery", "Event hook delivery", "", "WARN", ""}
)

// silent are types of the log that no hook can be told of.
var silent = map[string]bool{
	"user.lifecycle.delete.completed": true, "user.account.expire_password": true, "user.account.update_user_type": true, "user.account.update_primary_email": true,
	"user.account.update_secondary_email": true, "user.account.lock.limit": true, "event_hook.delivery": true, "directory.user_profile.update": true,
	"directory.non_default_user_profile.create": true, "group.user_membership.rule.add": true, "group.user_membership.rule.update": true,
}
