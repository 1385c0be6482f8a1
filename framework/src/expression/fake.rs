//! Made-up data, for masking: `fake.first_name()`.
//!
//! The data are those of the crate `fake`, under the names of Python's Faker. With a seed, the same
//! input gives the same output; which one, is not the same as in Python.

use fake::faker::{
    address::raw as address, barcode::raw as barcode, company::raw as company,
    creditcard::raw as creditcard, currency::raw as currency, filesystem::raw as filesystem,
    internet::raw as internet, job::raw as job, lorem::raw as lorem, name::raw as name,
    phone_number::raw as phone_number,
};
use fake::locales::{
    AR_SA, CY_GB, DE_DE, Data, EN, FA_IR, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, PT_PT, TR_TR, ZH_CN,
    ZH_TW,
};
use fake::rand::rngs::ChaCha8Rng;
use fake::rand::{RngExt, SeedableRng};
use fake::{Dummy, Fake};
use md5::digest::Digest as _;
use serde_json::Value as Setting;

use super::arguments::Arguments;
use super::functions::Native;
use super::number::Number;
use super::scope::Scope;
use super::value::{Outcome, Value};

/// What the setting `faker_config` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSettings {
    seed: Option<String>,
    locales: Vec<Locale>,
}

/// A source of made-up data.
#[derive(Debug)]
pub(crate) struct Faker {
    random: ChaCha8Rng,
    locales: Vec<Locale>,
}

macro_rules! locales {
    ($($name:literal => $locale:ident),+ $(,)?) => {
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy)]
        enum Locale { $($locale),+ }

        const LOCALES: &[(&str, Locale)] = &[$(($name, Locale::$locale)),+];

        fn text(locale: Locale, kind: Kind, random: &mut ChaCha8Rng) -> String {
            match locale {
                $(Locale::$locale => text_in($locale, kind, random)),+
            }
        }
    };
}

locales! {
    "en_US" => EN, "ar_SA" => AR_SA, "cy_GB" => CY_GB, "de_DE" => DE_DE, "fa_IR" => FA_IR,
    "fr_FR" => FR_FR, "it_IT" => IT_IT, "ja_JP" => JA_JP, "nl_NL" => NL_NL, "pt_BR" => PT_BR,
    "pt_PT" => PT_PT, "tr_TR" => TR_TR, "zh_CN" => ZH_CN, "zh_TW" => ZH_TW,
}

impl FakeSettings {
    /// Reads the setting. The error says what is wrong with it.
    pub(crate) fn parse(members: &serde_json::Map<String, Setting>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                (_, Setting::Null) => {}
                ("seed", Setting::String(_) | Setting::Number(_)) => {
                    settings.seed = Some(value.to_string());
                }
                ("seed", _) => return Err("seed must be a number or text".to_owned()),
                ("locale", Setting::String(one)) => settings.locales.push(locale(one)?),
                ("locale", Setting::Array(several)) => {
                    for one in several {
                        let one = one.as_str().ok_or("locale must be text or a list of it")?;
                        settings.locales.push(locale(one)?);
                    }
                }
                ("locale", _) => return Err("locale must be text or a list of it".to_owned()),
                _ => return Err(format!("there is no '{name}'; there are seed and locale")),
            }
        }
        Ok(settings)
    }
}

/// The locale of that name, or another one of the same language: of `en_GB`, `en_US`.
fn locale(name: &str) -> Result<Locale, String> {
    let name = name.replace('-', "_");
    let language = name.split('_').next().unwrap_or_default();
    let same = |(other, _): &&(&str, Locale)| other.eq_ignore_ascii_case(&name);
    let similar = |(other, _): &&(&str, Locale)| other.split('_').next() == Some(language);
    let found = LOCALES.iter().find(same).or(LOCALES.iter().find(similar));
    found.map(|(_, locale)| *locale).ok_or_else(|| {
        let names: Vec<_> = LOCALES.iter().map(|(name, _)| *name).collect();
        format!("there is no locale {name}; there are {}", names.join(", "))
    })
}

impl Faker {
    /// One that gives the same data each time, if a seed is set.
    pub(crate) fn new(settings: &FakeSettings) -> Self {
        let random = match &settings.seed {
            Some(seed) => seeded(seed),
            None => fake::rand::make_rng(),
        };
        let mut locales = settings.locales.clone();
        if locales.is_empty() {
            locales.push(Locale::EN);
        }
        Self { random, locales }
    }

    /// A number from 0 up to but not including 1.
    pub(super) fn fraction(&mut self) -> f64 {
        self.random.random()
    }

    fn below(&mut self, end: usize) -> usize {
        (self.fraction() * end as f64) as usize
    }

    /// From `least` up to and including `most`.
    fn between(&mut self, least: i64, most: i64) -> i64 {
        if most <= least {
            return least;
        }
        self.random.random_range(least..=most)
    }

    fn text(&mut self, kind: Kind) -> String {
        let locale = self.locales[self.random.random_range(0..self.locales.len())];
        text(locale, kind, &mut self.random)
    }

    /// `#` and `%` become digits, `?` letters.
    fn pattern(&mut self, pattern: &str, digits: bool, letters: bool) -> String {
        let mut fill = |c: char| match c {
            '#' if digits => char::from(b'0' + self.below(10) as u8),
            '%' if digits => char::from(b'1' + self.below(9) as u8),
            '?' if letters => char::from(b'a' + self.below(26) as u8),
            other => other,
        };
        pattern.chars().map(&mut fill).collect()
    }
}

fn seeded(seed: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(sha2::Sha256::digest(seed.as_bytes()).into())
}

/// What is made up as text.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Bs,
    BuildingNumber,
    CatchPhrase,
    City,
    Company,
    CompanySuffix,
    Country,
    CountryCode,
    CreditCardNumber,
    CurrencyCode,
    CurrencyName,
    Email,
    FileName,
    FirstName,
    FreeEmail,
    Ipv4,
    Ipv6,
    Isbn13,
    Job,
    LastName,
    MacAddress,
    MimeType,
    Name,
    Paragraph,
    PhoneNumber,
    Postcode,
    Prefix,
    SecondaryAddress,
    Sentence,
    State,
    StateAbbr,
    StreetName,
    StreetSuffix,
    Suffix,
    Timezone,
    Tld,
    UserAgent,
    UserName,
    Word,
}

fn text_in<L>(locale: L, kind: Kind, random: &mut ChaCha8Rng) -> String
where
    L: Data + Copy,
    String: Dummy<address::CityName<L>>,
{
    match kind {
        Kind::Bs => company::Bs(locale).fake_with_rng(random),
        Kind::BuildingNumber => address::BuildingNumber(locale).fake_with_rng(random),
        Kind::CatchPhrase => company::CatchPhrase(locale).fake_with_rng(random),
        Kind::City => address::CityName(locale).fake_with_rng(random),
        Kind::Company => company::CompanyName(locale).fake_with_rng(random),
        Kind::CompanySuffix => company::CompanySuffix(locale).fake_with_rng(random),
        Kind::Country => address::CountryName(locale).fake_with_rng(random),
        Kind::CountryCode => address::CountryCode(locale).fake_with_rng(random),
        Kind::CreditCardNumber => creditcard::CreditCardNumber(locale).fake_with_rng(random),
        Kind::CurrencyCode => currency::CurrencyCode(locale).fake_with_rng(random),
        Kind::CurrencyName => currency::CurrencyName(locale).fake_with_rng(random),
        Kind::Email => internet::SafeEmail(locale).fake_with_rng(random),
        Kind::FileName => filesystem::FileName(locale).fake_with_rng(random),
        Kind::FirstName => name::FirstName(locale).fake_with_rng(random),
        Kind::FreeEmail => internet::FreeEmail(locale).fake_with_rng(random),
        Kind::Ipv4 => internet::IPv4(locale).fake_with_rng(random),
        Kind::Ipv6 => internet::IPv6(locale).fake_with_rng(random),
        Kind::Isbn13 => barcode::Isbn13(locale).fake_with_rng(random),
        Kind::Job => job::Title(locale).fake_with_rng(random),
        Kind::LastName => name::LastName(locale).fake_with_rng(random),
        Kind::MacAddress => internet::MACAddress(locale).fake_with_rng(random),
        Kind::MimeType => filesystem::MimeType(locale).fake_with_rng(random),
        Kind::Name => name::Name(locale).fake_with_rng(random),
        Kind::Paragraph => lorem::Paragraph(locale, 3..6).fake_with_rng(random),
        Kind::PhoneNumber => phone_number::PhoneNumber(locale).fake_with_rng(random),
        Kind::Postcode => address::PostCode(locale).fake_with_rng(random),
        Kind::Prefix => name::Title(locale).fake_with_rng(random),
        Kind::SecondaryAddress => address::SecondaryAddress(locale).fake_with_rng(random),
        Kind::Sentence => lorem::Sentence(locale, 4..9).fake_with_rng(random),
        Kind::State => address::StateName(locale).fake_with_rng(random),
        Kind::StateAbbr => address::StateAbbr(locale).fake_with_rng(random),
        Kind::StreetName => address::StreetName(locale).fake_with_rng(random),
        Kind::StreetSuffix => address::StreetSuffix(locale).fake_with_rng(random),
        Kind::Suffix => name::Suffix(locale).fake_with_rng(random),
        Kind::Timezone => address::TimeZone(locale).fake_with_rng(random),
        Kind::Tld => internet::DomainSuffix(locale).fake_with_rng(random),
        Kind::UserAgent => internet::UserAgent(locale).fake_with_rng(random),
        Kind::UserName => internet::Username(locale).fake_with_rng(random),
        Kind::Word => lorem::Word(locale).fake_with_rng(random),
    }
}

/// A function that makes up one text.
macro_rules! texts {
    ($($name:literal => $kind:ident),* ; $($other:expr),* $(,)?) => {
        &[
            $(($name, |scope, _| of(scope, Kind::$kind))),*,
            $($other),*
        ]
    };
}

fn of<'a>(scope: &Scope<'a>, kind: Kind) -> Outcome<Value<'a>> {
    Ok(Value::text(scope.faker().text(kind)))
}

pub(super) const FUNCTIONS: &[(&str, Native)] = texts! {
    "bs" => Bs, "building_number" => BuildingNumber, "catch_phrase" => CatchPhrase, "city" => City,
    "company" => Company, "company_email" => Email, "company_suffix" => CompanySuffix,
    "country" => Country, "country_code" => CountryCode,
    "credit_card_number" => CreditCardNumber, "currency_code" => CurrencyCode,
    "currency_name" => CurrencyName, "email" => Email, "file_name" => FileName,
    "first_name" => FirstName, "first_name_female" => FirstName, "first_name_male" => FirstName,
    "free_email" => FreeEmail, "ipv4" => Ipv4, "ipv6" => Ipv6, "isbn13" => Isbn13, "job" => Job,
    "last_name" => LastName, "mac_address" => MacAddress,
    "mime_type" => MimeType, "name" => Name, "paragraph" => Paragraph,
    "phone_number" => PhoneNumber, "postcode" => Postcode, "prefix" => Prefix,
    "safe_email" => Email, "secondary_address" => SecondaryAddress, "sentence" => Sentence,
    "state" => State, "state_abbr" => StateAbbr, "street_name" => StreetName,
    "street_suffix" => StreetSuffix, "suffix" => Suffix, "timezone" => Timezone, "tld" => Tld,
    "user_agent" => UserAgent, "user_name" => UserName, "word" => Word, "zipcode" => Postcode;
    ("address", |scope, _| {
        let mut faker = scope.faker();
        let [number, street, city, postcode] =
            [Kind::BuildingNumber, Kind::StreetName, Kind::City, Kind::Postcode]
                .map(|kind| faker.text(kind));
        Ok(Value::text(format!("{number} {street}\n{city}, {postcode}")))
    }),
    ("boolean", |scope, _| Ok(Value::Bool(scope.faker().below(2) == 1))),
    ("bothify", |scope, arguments| filled(scope, arguments, "## ??", true, true)),
    ("date", |scope, _| Ok(Value::text(day(scope)?.to_text()))),
    ("date_object", |scope, _| day(scope)),
    ("domain_name", |scope, _| Ok(Value::text(domain(scope)))),
    ("latitude", |scope, _| coordinate(scope, 90)),
    ("lexify", |scope, arguments| filled(scope, arguments, "????", false, true)),
    ("longitude", |scope, _| coordinate(scope, 180)),
    ("numerify", |scope, arguments| filled(scope, arguments, "###", true, false)),
    ("password", |scope, arguments| {
        let length = arguments.int_or("length", 10)?.clamp(0, 1000);
        let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*()_+";
        let mut faker = scope.faker();
        let one = |_| char::from(characters[faker.below(characters.len())]);
        Ok(Value::text((0..length).map(one).collect::<String>()))
    }),
    ("pyint", |scope, arguments| integer(scope, arguments, "min_value", "max_value")),
    ("random_digit", |scope, _| Ok(Value::int(scope.faker().below(10)))),
    ("random_element", |scope, arguments| {
        let elements = arguments.need("elements")?;
        let elements = elements.elements().unwrap_or_default();
        let at = scope.faker().below(elements.len());
        elements.get(at).cloned().ok_or_else(|| "there is no element".to_owned())
    }),
    ("random_int", |scope, arguments| integer(scope, arguments, "min", "max")),
    ("random_letter", |scope, _| {
        Ok(Value::text(scope.faker().pattern("?", false, true)))
    }),
    ("seed_instance", |scope, arguments| {
        // Of a value its text, so that `1` and `'1'` are masked alike.
        let seed = arguments.need("seed")?.to_text();
        scope.faker().random = seeded(&seed);
        Ok(Value::None)
    }),
    ("street_address", |scope, _| {
        let mut faker = scope.faker();
        let [number, street] = [Kind::BuildingNumber, Kind::StreetName].map(|kind| faker.text(kind));
        Ok(Value::text(format!("{number} {street}")))
    }),
    ("text", |scope, arguments| {
        let most = arguments.int_or("max_nb_chars", 200)?.clamp(1, 10_000) as usize;
        let mut faker = scope.faker();
        let mut text = faker.text(Kind::Sentence);
        while text.chars().count() < most {
            text.push(' ');
            text.push_str(&faker.text(Kind::Sentence));
        }
        Ok(Value::text(text.chars().take(most).collect::<String>().trim_end().to_owned()))
    }),
    ("url", |scope, _| Ok(Value::text(format!("https://{}/", domain(scope))))),
    ("uuid4", |scope, _| Ok(Value::text(uuid(scope)))),
    ("words", |scope, arguments| {
        let count = arguments.int_or("nb", 3)?.clamp(0, 1000);
        let words: Outcome<_> = (0..count).map(|_| of(scope, Kind::Word)).collect();
        Ok(Value::list(words?))
    }),
};

fn filled<'a>(
    scope: &Scope<'a>,
    arguments: &mut Arguments<'a>,
    default: &str,
    digits: bool,
    letters: bool,
) -> Outcome<Value<'a>> {
    let pattern = arguments.text_or_none("text")?;
    let pattern = pattern.as_deref().unwrap_or(default);
    scope.pay_bytes(pattern.len())?;
    let mut faker = scope.faker();
    Ok(Value::text(faker.pattern(pattern, digits, letters)))
}

fn integer<'a>(
    scope: &Scope<'a>,
    arguments: &mut Arguments<'a>,
    least: &str,
    most: &str,
) -> Outcome<Value<'a>> {
    let (least, most) = (arguments.int_or(least, 0)?, arguments.int_or(most, 9999)?);
    Ok(Value::int(scope.faker().between(least, most)))
}

/// From 1970 to 2024, so that a seed gives the same in every year.
fn day<'a>(scope: &Scope<'a>) -> Outcome<Value<'a>> {
    const DAYS: i64 = 20_000;
    let days = scope.faker().between(0, DAYS);
    let first = jiff::civil::date(1970, 1, 1);
    first
        .checked_add(jiff::SignedDuration::from_hours(days * 24))
        .map(Value::Date)
        .map_err(|_| "there is no such date".to_owned())
}

fn coordinate<'a>(scope: &Scope<'a>, most: i64) -> Outcome<Value<'a>> {
    const PARTS: i64 = 1_000_000;
    let parts = scope.faker().between(-most * PARTS, most * PARTS);
    Ok(Value::Number(Number::Decimal(
        bigdecimal::BigDecimal::from_bigint(parts.into(), 6),
    )))
}

fn domain(scope: &Scope<'_>) -> String {
    let mut faker = scope.faker();
    let (name, tld) = (faker.text(Kind::Word), faker.text(Kind::Tld));
    format!("{}.{tld}", name.to_lowercase())
}

fn uuid(scope: &Scope<'_>) -> String {
    let mut bits: u128 = scope.faker().random.random();
    bits = bits & !(0xf << 76) | 0x4 << 76;
    bits = bits & !(0x3 << 62) | 0x2 << 62;
    let digits = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}
