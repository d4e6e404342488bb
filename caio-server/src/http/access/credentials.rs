//! What a request brings to show who makes it.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use caio_core::access::MAX_TOKEN;

/// The session's cookie. The prefix makes browsers refuse one that another host or plain HTTP set.
pub(crate) const COOKIE: &str = "__Host-caio_session";

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-dashboard-token");

/// What a request brings. A header comes before a session, both before the query (http D-51).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// Nothing.
    None,
    /// A session's text.
    Session(&'a str),
    /// A token's text.
    Token(std::borrow::Cow<'a, str>),
    /// Something that cannot be right: given twice, too long, not text.
    Malformed,
}

/// Reads it; the query only where that is enabled.
pub(super) fn read<'a>(headers: &'a HeaderMap, uri: &'a Uri, query: bool) -> Credential<'a> {
    let bearer = |text: &'a str| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    };
    for (name, part) in [
        (&TOKEN_HEADER, None),
        (
            &header::AUTHORIZATION,
            Some(&bearer as &dyn Fn(&'a str) -> Option<&'a str>),
        ),
    ] {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else {
            continue;
        };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        let text = text.and_then(|text| part.map_or(Some(text), |part| part(text)));
        return match text.map(str::trim) {
            Some(text) if !text.is_empty() && text.len() <= MAX_TOKEN => {
                Credential::Token(text.into())
            }
            _ => Credential::Malformed,
        };
    }
    if let Some(text) = session_text(headers) {
        return Credential::Session(text);
    }
    if query {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        let last = pairs.filter(|(name, _)| name == "token").last();
        if let Some((_, text)) = last.filter(|(_, text)| !text.is_empty()) {
            let text = text.trim().to_owned();
            return if text.len() <= MAX_TOKEN {
                Credential::Token(text.into())
            } else {
                Credential::Malformed
            };
        }
    }
    Credential::None
}

/// The session's text in the cookies of a request.
pub(crate) fn session_text(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|it| it.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|it| it.trim().split_once('='));
    let (_, text) = pairs.find(|(name, _)| *name == COOKIE)?;
    (!text.is_empty() && text.len() <= MAX_TOKEN).then_some(text)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_header_comes_first_and_two_of_them_are_refused() {
        let uri: Uri = "/api/x?token=q".parse().unwrap();
        let both = headers(&[
            ("x-dashboard-token", " t "),
            ("cookie", "__Host-caio_session=s"),
        ]);
        assert_eq!(read(&both, &uri, true), Credential::Token("t".into()));
        let cookie = headers(&[("cookie", "a=b; __Host-caio_session=s")]);
        assert_eq!(read(&cookie, &uri, true), Credential::Session("s"));
        assert_eq!(
            read(&HeaderMap::new(), &uri, true),
            Credential::Token("q".into())
        );
        assert_eq!(read(&HeaderMap::new(), &uri, false), Credential::None);
        let twice = headers(&[("x-dashboard-token", "t"), ("x-dashboard-token", "u")]);
        assert_eq!(read(&twice, &uri, true), Credential::Malformed);
        for wrong in ["Basic abc", "Bearer", "bearer  "] {
            let wrong = headers(&[("authorization", wrong)]);
            assert_eq!(read(&wrong, &uri, true), Credential::Malformed);
        }
        let bearer = headers(&[("authorization", "bearer t")]);
        assert_eq!(read(&bearer, &uri, false), Credential::Token("t".into()));
    }
}
