//! A dict of the plain shape that enrichment writes, read without its JSON text.

use std::borrow::Cow;

use caio_core::record::{PlainCompany, PlainContact, PlainIntent, PlainRow, Text};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use smallvec::SmallVec;

/// The members of such a dict; a null is like one that lacks.
#[derive(Default)]
pub(crate) struct Members<'py> {
    name: Option<Bound<'py, PyString>>,
    title: Option<Bound<'py, PyString>>,
    linkedin_url: Option<Bound<'py, PyString>>,
    source_type: Option<Bound<'py, PyString>>,
    source_name: Option<Bound<'py, PyString>>,
    company: Option<Bound<'py, PyString>>,
    domain: Option<Bound<'py, PyString>>,
    industry: Option<Bound<'py, PyString>>,
    technologies: SmallVec<[Bound<'py, PyString>; 8]>,
    work_email: Option<Bound<'py, PyString>>,
    employee_count: Option<u32>,
    revenue_estimate: Option<f64>,
    intent: PlainIntent,
}

/// The texts among them, each with what it says.
pub(crate) struct Texts<'a, 'py> {
    pub(crate) name: Option<Given<'a, 'py>>,
    pub(crate) title: Option<Given<'a, 'py>>,
    pub(crate) linkedin_url: Option<Given<'a, 'py>>,
    pub(crate) source_type: Option<Given<'a, 'py>>,
    pub(crate) source_name: Option<Given<'a, 'py>>,
    pub(crate) company: Option<Given<'a, 'py>>,
    pub(crate) domain: Option<Given<'a, 'py>>,
    pub(crate) industry: Option<Given<'a, 'py>>,
    pub(crate) technologies: SmallVec<[Given<'a, 'py>; 8]>,
    pub(crate) work_email: Given<'a, 'py>,
}

/// A text that Python holds: asking for what it says is worth doing once.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, 'py> {
    pub(crate) object: &'a Bound<'py, PyString>,
    pub(crate) text: &'a str,
}

/// The members of one dict, counted as they are asked for.
struct Reader<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    seen: usize,
}

/// A member that is of another type than the plain shape has.
struct Other;

type Found<T> = Result<Option<T>, Other>;

impl<'py> Reader<'_, 'py> {
    fn member(&mut self, name: &Bound<'py, PyString>) -> Found<Bound<'py, PyAny>> {
        let found = self.dict.get_item(name).map_err(|_| Other)?;
        self.seen += usize::from(found.is_some());
        Ok(found)
    }

    fn value(&mut self, name: &Bound<'py, PyString>) -> Found<Bound<'py, PyAny>> {
        Ok(self.member(name)?.filter(|found| !found.is_none()))
    }

    fn text(&mut self, name: &Bound<'py, PyString>) -> Found<Bound<'py, PyString>> {
        self.value(name)?.map(text).transpose()
    }

    fn count(&mut self, name: &Bound<'py, PyString>) -> Found<u32> {
        let count = |found: Bound<'py, PyAny>| match found.cast_exact::<PyInt>() {
            Ok(number) => number.extract().map_err(|_| Other),
            Err(_) => Err(Other),
        };
        self.value(name)?.map(count).transpose()
    }

    fn amount(&mut self, name: &Bound<'py, PyString>) -> Found<f64> {
        let amount = |found: Bound<'py, PyAny>| {
            let number =
                found.cast_exact::<PyFloat>().is_ok() || found.cast_exact::<PyInt>().is_ok();
            if number {
                found.extract().map_err(|_| Other)
            } else {
                Err(Other)
            }
        };
        self.value(name)?.map(amount).transpose()
    }

    fn truth(&mut self, name: &Bound<'py, PyString>) -> Found<bool> {
        let truth = |found: Bound<'py, PyAny>| match found.cast::<PyBool>() {
            Ok(truth) => Ok(truth.is_true()),
            Err(_) => Err(Other),
        };
        self.value(name)?.map(truth).transpose()
    }

    /// A dict, which may lack and may not be null.
    fn part(&mut self, name: &Bound<'py, PyString>) -> Found<Bound<'py, PyDict>> {
        let part = |found: Bound<'py, PyAny>| found.cast_into_exact::<PyDict>().map_err(|_| Other);
        self.member(name)?.map(part).transpose()
    }

    /// Nothing else stands in the dict.
    fn is_all(&self) -> Result<(), Other> {
        (self.seen == self.dict.len()).then_some(()).ok_or(Other)
    }
}

fn text(found: Bound<'_, PyAny>) -> Result<Bound<'_, PyString>, Other> {
    found.cast_into_exact::<PyString>().map_err(|_| Other)
}

impl<'py> Members<'py> {
    /// The members of `lead`; `None` where it is not of this very shape.
    pub(crate) fn of(lead: &Bound<'py, PyAny>) -> Option<Self> {
        let dict = lead.cast_exact::<PyDict>().ok()?;
        Self::read(dict).ok()
    }

    fn read(dict: &Bound<'py, PyDict>) -> Result<Self, Other> {
        let py = dict.py();
        let mut members = Self::default();
        let mut lead = Reader { dict, seen: 0 };
        let contact = lead.part(intern!(py, "contact"))?.ok_or(Other)?;
        let mut contact = Reader {
            dict: &contact,
            seen: 0,
        };
        members.work_email = contact.text(intern!(py, "work_email"))?;
        contact.is_all()?;
        lead.text(intern!(py, "lead_id"))?;
        members.name = lead.text(intern!(py, "name"))?;
        members.title = lead.text(intern!(py, "title"))?;
        members.linkedin_url = lead.text(intern!(py, "linkedin_url"))?;
        members.source_type = lead.text(intern!(py, "source_type"))?;
        members.source_name = lead.text(intern!(py, "source_name"))?;
        if let Some(company) = lead.part(intern!(py, "company"))? {
            members.read_company(&company)?;
        }
        if let Some(intent) = lead.part(intern!(py, "intent"))? {
            let mut intent = Reader {
                dict: &intent,
                seen: 0,
            };
            members.intent = PlainIntent {
                website_visits: intent.count(intern!(py, "website_visits"))?,
                content_downloads: intent.count(intern!(py, "content_downloads"))?,
                pricing_page_visits: intent.count(intern!(py, "pricing_page_visits"))?,
                demo_requested: intent.truth(intern!(py, "demo_requested"))?,
                intent_score: intent.count(intern!(py, "intent_score"))?,
            };
            intent.is_all()?;
        }
        lead.is_all()?;
        Ok(members)
    }

    fn read_company(&mut self, company: &Bound<'py, PyDict>) -> Result<(), Other> {
        let py = company.py();
        let mut company = Reader {
            dict: company,
            seen: 0,
        };
        self.company = company.text(intern!(py, "name"))?;
        self.domain = company.text(intern!(py, "domain"))?;
        self.industry = company.text(intern!(py, "industry"))?;
        self.employee_count = company.count(intern!(py, "employee_count"))?;
        self.revenue_estimate = company.amount(intern!(py, "revenue_estimate"))?;
        if let Some(technologies) = company.value(intern!(py, "technologies"))? {
            let list = technologies.cast_exact::<PyList>().map_err(|_| Other)?;
            self.technologies = list.iter().map(text).collect::<Result<_, _>>()?;
        }
        company.is_all()
    }

    /// The texts; `None` where the address lacks, or one holds half of a surrogate pair, which Rust
    /// cannot hold.
    pub(crate) fn texts(&self) -> Option<Texts<'_, 'py>> {
        self.held().ok()
    }

    fn held(&self) -> Result<Texts<'_, 'py>, Other> {
        Ok(Texts {
            name: held(self.name.as_ref())?,
            title: held(self.title.as_ref())?,
            linkedin_url: held(self.linkedin_url.as_ref())?,
            source_type: held(self.source_type.as_ref())?,
            source_name: held(self.source_name.as_ref())?,
            company: held(self.company.as_ref())?,
            domain: held(self.domain.as_ref())?,
            industry: held(self.industry.as_ref())?,
            technologies: self
                .technologies
                .iter()
                .map(given)
                .collect::<Result<_, _>>()?,
            work_email: held(self.work_email.as_ref())?.ok_or(Other)?,
        })
    }

    /// The row that it is, if a plain row may be made of it.
    pub(crate) fn row<'a>(&self, texts: &Texts<'a, 'py>) -> Option<PlainRow<'a>> {
        let text = |given: Option<Given<'a, 'py>>| given.map(|it| Text(Cow::Borrowed(it.text)));
        let technologies = texts.technologies.iter().filter_map(|it| text(Some(*it)));
        let row = PlainRow {
            lead_id: None,
            name: text(texts.name),
            title: text(texts.title),
            linkedin_url: text(texts.linkedin_url),
            source_type: text(texts.source_type),
            source_name: text(texts.source_name),
            company: PlainCompany {
                name: text(texts.company),
                domain: text(texts.domain),
                employee_count: self.employee_count,
                industry: text(texts.industry),
                technologies: Some(technologies.collect()),
                revenue_estimate: self.revenue_estimate,
            },
            intent: self.intent,
            contact: PlainContact {
                work_email: Text(Cow::Borrowed(texts.work_email.text)),
            },
        };
        row.is_usable().then_some(row)
    }
}

fn held<'a, 'py>(object: Option<&'a Bound<'py, PyString>>) -> Found<Given<'a, 'py>> {
    object.map(given).transpose()
}

fn given<'a, 'py>(object: &'a Bound<'py, PyString>) -> Result<Given<'a, 'py>, Other> {
    match object.to_str() {
        Ok(text) => Ok(Given { object, text }),
        Err(_) => Err(Other),
    }
}
