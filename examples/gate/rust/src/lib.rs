//! Greets whoever may be greeted.

/// Says that somebody may not be greeted.
#[derive(Debug, PartialEq)]
pub struct NotAllowed;

/// Greets `name` if `may_greet` says so.
pub fn greet(name: &str, may_greet: impl Fn(&str) -> bool) -> Result<String, NotAllowed> {
    if may_greet(name) {
        Ok(format!("Hello, {name}!"))
    } else {
        Err(NotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_by_name() {
        assert_eq!(greet("Ada", |_| true), Ok("Hello, Ada!".to_string()));
    }

    #[test]
    fn refuses_whom_it_may_not_greet() {
        assert_eq!(greet("Mallory", |_| false), Err(NotAllowed));
    }
}
