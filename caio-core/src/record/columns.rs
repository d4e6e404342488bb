//! Which column means what, by the names that people and tools give them.

use std::fmt;

use serde_json::{Map, Value};

/// What a column can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Name of the company.
    Company,
    /// Documents taken.
    ContentDownloads,
    /// Asked for a demonstration.
    DemoRequested,
    /// Web domain of the company.
    Domain,
    /// Address.
    Email,
    /// Head count.
    Employees,
    /// Given name.
    FirstName,
    /// Industry.
    Industry,
    /// Score of the intent data.
    IntentScore,
    /// Family name.
    LastName,
    /// Profile.
    LinkedIn,
    /// Where the person is.
    Location,
    /// Whole name.
    Name,
    /// Telephone.
    Phone,
    /// Visits to the price page.
    PricingPageVisits,
    /// Revenue a year.
    Revenue,
    /// Kind of source.
    SourceKind,
    /// Name of the event, group or campaign.
    SourceName,
    /// Technologies in use.
    Technologies,
    /// Job title.
    Title,
    /// Visits to the web site.
    WebsiteVisits,
}

/// One meaning: its name, the column names that have it, and where it stands in nested JSON.
struct Entry {
    column: Column,
    name: &'static str,
    synonyms: &'static [&'static str],
    paths: &'static [&'static str],
}

macro_rules! columns {
    ($($column:ident $name:literal [$($synonym:literal),*] [$($path:literal),*];)+) => {
        const ENTRIES: &[Entry] = &[$(Entry {
            column: Column::$column, name: $name, synonyms: &[$($synonym),*], paths: &[$($path),*],
        }),+];
    };
}

// Synonyms are compared without case, spaces and punctuation. Of several paths the first that
// holds something counts.
columns! {
    Email "email" ["email", "emailaddress", "workemail", "businessemail", "corporateemail", "primaryemail", "personemail", "contactemail", "verifiedemail"]
        ["contact.work_email", "contact.verified_email", "email", "work_email", "contact.email", "original_lead.email"];
    FirstName "first_name" ["firstname", "givenname", "first", "forename", "vorname"]
        ["first_name", "original_lead.first_name", "contact.first_name"];
    LastName "last_name" ["lastname", "familyname", "surname", "last", "nachname"]
        ["last_name", "original_lead.last_name", "contact.last_name"];
    Name "name" ["name", "fullname", "contactname", "leadname", "personname"]
        ["original_lead.name", "name", "full_name", "contact.name"];
    Title "title" ["title", "jobtitle", "position", "role", "jobrole", "headline"]
        ["original_lead.title", "title", "job_title", "contact.title"];
    Company "company" ["company", "companyname", "organization", "organisation", "organizationname", "account", "accountname", "employer", "firma"]
        ["company.name", "company_name", "company", "organization.name", "organization", "original_lead.company"];
    Domain "domain" ["domain", "companydomain", "website", "companywebsite", "websiteurl", "url", "companyurl"]
        ["company.domain", "domain", "company_domain", "company.website", "website"];
    Employees "employees" ["employees", "employeecount", "companysize", "numberofemployees", "noofemployees", "headcount", "size", "staff", "employeerange", "companyemployees"]
        ["company.employee_count", "company.employees", "employee_count", "employees", "company.employee_range", "company_size"];
    Industry "industry" ["industry", "companyindustry", "sector", "branche"]
        ["company.industry", "industry"];
    LinkedIn "linkedin" ["linkedin", "linkedinurl", "personlinkedinurl", "linkedinprofile", "profileurl", "linkedinprofileurl", "linkedincontactprofileurl"]
        ["linkedin_url", "contact.linkedin_url", "original_lead.linkedin_url", "linkedin"];
    Technologies "technologies" ["technologies", "techstack", "technology", "tools", "tech", "companytechnologies"]
        ["company.technologies", "technologies", "tech_stack"];
    SourceKind "source" ["source", "sourcetype", "leadsource", "origin"]
        ["source_type", "original_lead.source_type", "source"];
    SourceName "source_name" ["sourcename", "sourcedetail", "campaign", "event", "eventname", "listname"]
        ["source_name", "original_lead.source_name"];
    WebsiteVisits "website_visits" ["websitevisits", "visits", "sitevisits", "pageviews"]
        ["intent.website_visits", "website_visits"];
    ContentDownloads "content_downloads" ["contentdownloads", "downloads"]
        ["intent.content_downloads", "content_downloads"];
    PricingPageVisits "pricing_page_visits" ["pricingpagevisits", "pricingvisits", "pricingpage", "pricepagevisits"]
        ["intent.pricing_page_visits", "pricing_page_visits"];
    DemoRequested "demo_requested" ["demorequested", "demo", "requesteddemo", "demorequest"]
        ["intent.demo_requested", "demo_requested"];
    IntentScore "intent_score" ["intentscore", "intent"]
        ["intent.intent_score", "intent_score"];
    Phone "phone" ["phone", "phonenumber", "telephone", "mobile", "mobilephone", "directphone", "workphone"]
        ["contact.phone", "phone", "contact.mobile"];
    Location "location" ["location", "city", "country", "region", "personlocation"]
        ["location", "original_lead.location"];
    Revenue "revenue" ["revenue", "annualrevenue", "revenueestimate", "companyrevenue"]
        ["company.revenue_estimate", "revenue", "revenue_estimate"];
}

/// Which column of a file means what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// Position of each column, by the place of its meaning in [`Column`].
    positions: [Option<usize>; ENTRIES.len()],
    overrides: Vec<(Column, String)>,
    unknown: Vec<String>,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderProblem {
    /// Two columns mean the same.
    #[error(
        "columns {first:?} and {second:?} both mean {column}; rename one, or say which with \
         --map {column}=\"{first}\""
    )]
    Duplicate {
        /// What both mean.
        column: Column,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// No column holds an address.
    #[error(
        "no column holds e-mail addresses; columns: {}; say which with --map email=\"COLUMN\"",
        columns.join(", ")
    )]
    NoEmail {
        /// Columns of the file.
        columns: Vec<String>,
    },
    /// `--map` names a meaning that there is not.
    #[error("--map {given}: there is no field {given:?}; fields: {known}")]
    UnknownField {
        /// What was given.
        given: String,
        /// Known fields, comma-separated.
        known: String,
    },
    /// `--map` names a column that the file does not have.
    #[error("--map {column}={given:?}: the file has no such column; columns: {}", columns.join(", "))]
    UnknownTarget {
        /// The field.
        column: Column,
        /// What was given.
        given: String,
        /// Columns of the file.
        columns: Vec<String>,
    },
}

impl HeaderProblem {
    /// Stable code.
    pub const CODE: &'static str = "header.unusable";
}

impl Column {
    /// Name, as `--map` takes it.
    pub fn name(self) -> &'static str {
        ENTRIES
            .iter()
            .find(|entry| entry.column == self)
            .map_or("", |entry| entry.name)
    }

    /// The field of that name.
    fn named(name: &str) -> Option<Self> {
        let plain = plain(name);
        ENTRIES
            .iter()
            .find(|entry| self::plain(entry.name) == plain)
            .map(|entry| entry.column)
    }

    fn meant_by(header: &str) -> Option<Self> {
        let plain = plain(header);
        let found = ENTRIES
            .iter()
            .find(|entry| entry.synonyms.contains(&plain.as_str()));
        found.map(|entry| entry.column)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FieldMap {
    /// Reads a header line; `overrides` are pairs of field and column name.
    ///
    /// # Errors
    /// Two columns of one meaning that no override decides, an override of something unknown, and a
    /// file without addresses.
    pub fn of_columns(
        headers: &[String],
        overrides: &[(String, String)],
    ) -> Result<Self, HeaderProblem> {
        let mut map = Self {
            overrides: parse_overrides(overrides)?,
            ..Self::default()
        };
        for (column, target) in &map.overrides {
            let position = headers
                .iter()
                .position(|header| plain(header) == plain(target));
            let Some(position) = position else {
                let (column, given, columns) = (*column, target.clone(), headers.to_vec());
                return Err(HeaderProblem::UnknownTarget {
                    column,
                    given,
                    columns,
                });
            };
            map.positions[*column as usize] = Some(position);
        }
        for (position, header) in headers.iter().enumerate() {
            if map.positions.contains(&Some(position)) {
                continue;
            }
            let Some(column) = Column::meant_by(header) else {
                map.unknown.push(header.clone());
                continue;
            };
            match map.position(column) {
                None => map.positions[column as usize] = Some(position),
                Some(_) if map.overrides.iter().any(|(chosen, _)| *chosen == column) => {}
                Some(first) => {
                    let (first, second) = (headers[first].clone(), header.clone());
                    return Err(HeaderProblem::Duplicate {
                        column,
                        first,
                        second,
                    });
                }
            }
        }
        if map.position(Column::Email).is_none() {
            return Err(HeaderProblem::NoEmail {
                columns: headers.to_vec(),
            });
        }
        Ok(map)
    }

    /// For JSON, whose rows name their own fields; `overrides` are pairs of field and member path.
    ///
    /// # Errors
    /// An override of an unknown field.
    pub fn of_objects(overrides: &[(String, String)]) -> Result<Self, HeaderProblem> {
        Ok(Self {
            overrides: parse_overrides(overrides)?,
            ..Self::default()
        })
    }

    /// Columns that mean nothing to us, as they stand in the header.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// No override is given.
    pub(super) const fn is_plain(&self) -> bool {
        self.overrides.is_empty()
    }

    pub(super) const fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }
}

fn parse_overrides(overrides: &[(String, String)]) -> Result<Vec<(Column, String)>, HeaderProblem> {
    let parse = |(field, target): &(String, String)| match Column::named(field) {
        Some(column) => Ok((column, target.clone())),
        None => Err(HeaderProblem::UnknownField {
            given: field.clone(),
            known: ENTRIES
                .iter()
                .map(|entry| entry.name)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    };
    overrides.iter().map(parse).collect()
}

/// A member of a row in JSON: by override, else by path, else by a name that means the column.
pub(super) fn member<'a>(
    object: &'a Map<String, Value>,
    column: Column,
    map: &FieldMap,
) -> Option<&'a Value> {
    if let Some((_, path)) = map.overrides.iter().find(|(chosen, _)| *chosen == column) {
        return object.get(path.as_str()).or_else(|| at_path(object, path));
    }
    let entry = ENTRIES.iter().find(|entry| entry.column == column)?;
    let holds = |value: &&Value| match value {
        Value::Null | Value::Object(_) => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    };
    let by_path = entry
        .paths
        .iter()
        .find_map(|path| at_path(object, path).filter(holds));
    by_path.or_else(|| {
        let named = object
            .iter()
            .find(|(name, value)| holds(value) && entry.synonyms.contains(&plain(name).as_str()));
        named.map(|(_, value)| value)
    })
}

fn at_path<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => object.get(path),
        Some((first, rest)) => at_path(object.get(first)?.as_object()?, rest),
    }
}

/// Letters and digits, lower-case: `# Employees` and `#employees` are one.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
