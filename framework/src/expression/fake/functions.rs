//! The functions of `fake`, under the names of Python's Faker.

use fake::rand::RngExt;

use super::seeded;
use super::texts::Kind;
use crate::expression::arguments::Arguments;
use crate::expression::functions::Native;
use crate::expression::number::Number;
use crate::expression::scope::Scope;
use crate::expression::value::{Outcome, Value};

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
    let text = scope.faker().text(kind);
    scope.pay_bytes(text.len())?;
    Ok(Value::text(text))
}

pub(in crate::expression) const FUNCTIONS: &[(&str, Native)] = texts! {
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
        scope.pay(length as usize)?;
        let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*()_+";
        let mut faker = scope.faker();
        let one = |_| char::from(characters[faker.below(characters.len())]);
        Ok(Value::text((0..length).map(one).collect::<String>()))
    }),
    ("pyint", |scope, arguments| integer(scope, arguments, "min_value", "max_value")),
    ("random_digit", |scope, _| Ok(Value::int(scope.faker().below(10)))),
    ("random_element", |scope, arguments| {
        let elements = arguments.need("elements")?;
        let elements = scope.elements(&elements)?.unwrap_or_default();
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
        scope.pay(most)?;
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
