//! Names and paths of users and roles.

/// Whether IAM would take the name of a new user.
///
/// # Errors
///
/// What such a name is made of.
pub fn check_user_name(name: &str) -> Result<(), String> {
    check_name(name, USER_NAME_MAX)
}

/// The same of a role.
pub(super) fn check_role_name(name: &str) -> Result<(), String> {
    check_name(name, ROLE_NAME_MAX)
}

/// What a name of IAM may be made of.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
fn check_name(name: &str, most: usize) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (1..=most).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "`name` has 1 to {most} letters, digits and `_+=,.@-`"
    ))
}

/// A path, `/` where none is given.
pub(super) fn checked_path(path: Option<&str>) -> Result<&str, String> {
    let path = path.unwrap_or("/");
    let is_path = path.starts_with('/') && path.ends_with('/') && path.len() <= PATH_BYTES_MAX;
    if is_path && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(path);
    }
    Err("`path` begins and ends with a slash, such as `/team/`".to_owned())
}

/// Source of these bounds: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const USER_NAME_MAX: usize = 64;
const ROLE_NAME_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 512;
